using System.Security.Cryptography;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class WeightOriginTests
{
    [TestMethod]
    public void HuggingFaceWeights_EveryTensor_HasTheBytesOfTheReferencesFile()
    {
        var file = ModelFolder.HuggingFaceWeights();
        using var manifest = JsonDocument.Parse(File.ReadAllText(Golden.Path("pretrained", "clip_vit_tiny_hf_tensors.json")));
        var expected = manifest.RootElement.EnumerateObject().ToDictionary(p => p.Name, p => p.Value);
        using var stream = new MemoryStream(file);
        var entries = Safetensors.ReadHeader(stream, out _);
        var data = (int)stream.Position;

        CollectionAssert.AreEquivalent(expected.Keys, entries.Select(e => e.Name).ToArray());
        foreach (var entry in entries)
        {
            DataTestRows.Equal<long>([.. expected[entry.Name].GetProperty("shape").EnumerateArray().Select(d => d.GetInt64())],
                entry.Shape);
            var hash = Convert.ToHexStringLower(SHA256.HashData(file.AsSpan(data + (int)entry.Begin, (int)(entry.End - entry.Begin))));
            Assert.AreEqual(expected[entry.Name].GetProperty("sha256").GetString(), hash, entry.Name);
        }
    }

    [TestMethod]
    [DataRow("visual.transformer.resblocks.11.attn.in_proj_bias", "vision_model.encoder.layers.11.self_attn.q_proj.bias", 3)]
    [DataRow("transformer.resblocks.0.mlp.c_proj.weight", "text_model.encoder.layers.0.mlp.fc2.weight", 1)]
    [DataRow("logit_scale", "logit_scale", 1)]
    [DataRow("prefix_embedding", "prefix_embedding", 1)]
    [DataRow("visual.prefix_embedding", "visual.prefix_embedding", 1)]
    public void Of_HuggingFace_NamesTheTensors(string name, string first, int count)
    {
        var origin = WeightOrigin.Of(ClipLayout.HuggingFace, name);
        Assert.AreEqual(first, origin.Names[0]);
        Assert.HasCount(count, origin.Names);
    }
}
