using System.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A folder of its own with the files of a published model.</summary>
internal sealed class ModelFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("prefix-model-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>The reference's tiny model in open_clip's layout.</summary>
    public static byte[] OpenClipWeights() => File.ReadAllBytes(Golden.Path("clip_vit_tiny", "model_open_clip.safetensors"));

    /// <summary>The same as the reference's Hugging Face file; equal to it byte for byte in every tensor, which WeightOriginTests
    /// proves.</summary>
    public static byte[] HuggingFaceWeights()
    {
        using var scope = NewDisposeScope();
        using var model = TinyGolden.Load(ClipActivation.Gelu);
        using var weights = new MemoryStream();
        ClipExport.WriteWeights(weights, ClipLayout.HuggingFace, model, SettingsOf(model));
        weights.Position = 0;
        var tensors = Safetensors.Read(weights);
        tensors["text_model.embeddings.position_ids"] = arange(16, ScalarType.Int64).unsqueeze(0);   // buffers of older files
        tensors["vision_model.embeddings.position_ids"] = arange(17, ScalarType.Int64).unsqueeze(0);
        return Bytes(tensors);
    }

    /// <summary>A safetensors file.</summary>
    public static byte[] Bytes(IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        using var stream = new MemoryStream();
        Safetensors.Write(stream, [.. tensors]);
        return stream.ToArray();
    }

    /// <summary>Settings of a model without prefixes.</summary>
    public static ModelSettings SettingsOf(ClipModel model) => ModelSettings.From(
        new PrefixClipOptions { Architecture = model.Shape.Architecture, PrefixLength = 0 }, [DatasetType.Caption],
            model.Shape.VocabularySize);

    public ModelFolder Add(string name, byte[] content)
    {
        File.WriteAllBytes(this[name], content);
        return this;
    }

    public ModelFolder Add(string name, string content) => Add(name, Encoding.UTF8.GetBytes(content));

    /// <summary>The reference's configuration for open_clip.</summary>
    public ModelFolder AddOpenClipConfig(string? replaced = null, string? replacement = null) =>
        Add("open_clip_config.json", Replaced(File.ReadAllText(Golden.Path("clip_vit_tiny", "config_open_clip.json")), replaced,
            replacement));

    /// <summary>A configuration as Hugging Face has it for the tiny model.</summary>
    public ModelFolder AddHuggingFaceConfig(string? replaced = null, string? replacement = null) => Add("config.json", Replaced("""
        {
         "model_type": "clip", "projection_dim": 64,
         "text_config": { "vocab_size": 512, "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 2,
           "max_position_embeddings": 16, "hidden_act": "gelu", "layer_norm_eps": 1e-05 },
         "vision_config": { "hidden_size": 96, "intermediate_size": 384, "num_hidden_layers": 3, "num_attention_heads": 3, "image_size": 32,
           "patch_size": 8, "hidden_act": "gelu", "layer_norm_eps": 1e-05 }
        }
        """, replaced, replacement));

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static string Replaced(string text, string? replaced, string? replacement)
    {
        if (replaced is null) return text;
        Assert.Contains(replaced, text);
        return text.Replace(replaced, replacement, StringComparison.Ordinal);
    }
}
