using System.Security.Cryptography;
using System.Text.Json;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The reference's tiny ResNet model, whose values follow from their names: test/golden/clip_resnet_tiny.</summary>
internal static class ResNetModel
{
    /// <summary>All weights as a state dictionary; every tensor has the hash that the reference's had.</summary>
    public static Dictionary<string, Tensor> Weights() => Tensors(name => name != "images");

    /// <summary>[2, 3, 64, 64].</summary>
    public static Tensor Images() => Tensors(name => name == "images")["images"];

    private static Dictionary<string, Tensor> Tensors(Func<string, bool> wanted)
    {
        using var manifest = JsonDocument.Parse(File.ReadAllText(Golden.Path("clip_resnet_tiny", "tensors.json")));
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var entry in manifest.RootElement.EnumerateObject().Where(e => wanted(e.Name)))
        {
            var shape = entry.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64()).ToArray();
            if (!entry.Value.TryGetProperty("sha256", out var hash))
            {
                tensors.Add(entry.Name, zeros(shape, ScalarType.Int64));   // counts of batches, which no model needs
                continue;
            }
            var values = Values(entry.Name, shape);
            var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan());
            Assert.AreEqual(hash.GetString(), Convert.ToHexStringLower(SHA256.HashData(bytes)), entry.Name);
            tensors.Add(entry.Name, tensor(values, shape));
        }
        return tensors;
    }

    private static float[] Values(string name, long[] shape)
    {
        var values = new float[shape.Aggregate(1L, (a, b) => a * b)];
        var scale = Math.Sqrt((shape.Length == 4 ? 24.0 : 12.0) / Math.Max(1, shape.Skip(1).Aggregate(1L, (a, b) => a * b)));
        var uniform = NamedNumbers.Uniform(name, values.Length);
        for (var i = 0; i < values.Length; i++)
        {
            var u = uniform[i];
            values[i] = (float)(name switch
            {
                "images" => u * 4,
                "logit_scale" => 2.5,
                "text_projection" => u * Math.Sqrt(12.0 / shape[0]),
                _ when name.EndsWith("running_var", StringComparison.Ordinal) => 1 + u * 0.5,
                _ when shape.Length == 1 => name.EndsWith("weight", StringComparison.Ordinal) ? 1 + u * 0.4 : u * 0.2,
                _ when shape.Length == 2 && name.Contains("embedding", StringComparison.Ordinal) => u,
                _ => u * scale,
            });
        }
        return values;
    }
}
