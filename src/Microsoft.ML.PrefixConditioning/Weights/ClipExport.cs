using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Writes a model as the files under which other programs know CLIP models.</summary>
/// <remarks>
/// Weights come last: a folder whose writing was interrupted has no new weights. Each file is written beside its place and moved there.
/// Prefixes are further tensors, <c>prefix_embedding</c> and <c>visual.prefix_embedding</c>; a reader that takes known names only must be
/// told to leave them out.
/// </remarks>
internal static class ClipExport
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    /// <summary>Writes weights, configuration and vocabulary into a folder, which is created if it does not exist.</summary>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static void Write(string folder, ClipLayout layout, ClipModel network, ClipTokenizer tokenizer, ModelSettings settings)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new IOException($"The folder '{folder}' cannot be created: {e.Message} Choose another one.", e);
        }
        var files = Configurations(layout, settings, network, tokenizer)
            .Select(c => (c.Name, Content: JsonSerializer.SerializeToUtf8Bytes(c.Content, Json)))
            .Concat(tokenizer.Files(settings.Architecture.ContextLength));
        foreach (var (name, content) in files)
            AtomicFile.Replace(Path.Combine(folder, name), stream => stream.Write(content));
        var weights = layout == ClipLayout.OpenClip ? "open_clip_model.safetensors" : "model.safetensors";
        AtomicFile.Replace(Path.Combine(folder, weights), stream => WriteWeights(stream, layout, network, settings));
    }

    /// <summary>The weights alone, as a safetensors file.</summary>
    internal static void WriteWeights(Stream stream, ClipLayout layout, ClipModel network, ModelSettings settings)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Safetensors.Write(stream, [.. network.Weights.SelectMany(w => WeightOrigin.Of(layout, w.Key).Split(w.Value))],
            PretrainedPrefixes.MetadataOf(settings));
    }

    private static IEnumerable<(string Name, JsonObject Content)> Configurations(ClipLayout layout, ModelSettings settings,
        ClipModel network, ClipTokenizer tokenizer)
    {
        var (a, normalization) = (settings.Architecture, settings.Normalization);
        if (layout == ClipLayout.OpenClip)
        {
            var vision = new JsonObject { ["image_size"] = a.ImageSize, ["width"] = a.VisionWidth };
            var text = new JsonObject
            {
                ["context_length"] = a.ContextLength, ["vocab_size"] = settings.VocabularySize, ["width"] = a.TextWidth,
                ["heads"] = a.TextHeads, ["layers"] = a.TextLayers,
            };
            vision["layers"] = a.ResNet is { } stages ? ArrayOf(stages.ToArray()) : a.VisionLayers;
            vision["head_width"] = a.VisionWidth * (a.ResNet is null ? 1 : ResNetTower.Reduction) / a.VisionHeads;
            if (a.ResNet is null) vision["patch_size"] = a.PatchSize;
            if (a.MlpRatio != 4)   // only where it is not the default: older versions of open_clip do not know it
            {
                if (a.ResNet is null) vision["mlp_ratio"] = a.MlpRatio;
                text["mlp_ratio"] = a.MlpRatio;
            }
            yield return ("open_clip_config.json", new JsonObject
            {
                ["model_cfg"] = new JsonObject
                {
                    ["embed_dim"] = a.EmbeddingSize, ["quick_gelu"] = a.Activation == ClipActivation.QuickGelu,
                    ["vision_cfg"] = vision, ["text_cfg"] = text,
                },
                ["preprocess_cfg"] = new JsonObject
                {
                    ["mean"] = ArrayOf(normalization.Mean.ToArray()), ["std"] = ArrayOf(normalization.StandardDeviation.ToArray()),
                },
            });
            yield break;
        }
        yield return ("config.json", new JsonObject
        {
            ["architectures"] = new JsonArray("CLIPModel"), ["model_type"] = "clip", ["projection_dim"] = a.EmbeddingSize,
            ["logit_scale_init_value"] = network.LogitScale.ToDouble(), ["torch_dtype"] = "float32",
            ["text_config"] = TowerOf("clip_text_model", a.TextWidth, a.TextLayers, a.TextHeads, a,
                ("vocab_size", settings.VocabularySize), ("max_position_embeddings", a.ContextLength),
                ("bos_token_id", tokenizer.StartToken), ("eos_token_id", tokenizer.EndToken), ("pad_token_id", tokenizer.EndToken)),
            ["vision_config"] = TowerOf("clip_vision_model", a.VisionWidth, a.VisionLayers, a.VisionHeads, a,
                ("image_size", a.ImageSize), ("patch_size", a.PatchSize), ("num_channels", 3)),
        });
        yield return ("preprocessor_config.json", new JsonObject
        {
            ["image_processor_type"] = "CLIPImageProcessor", ["do_resize"] = true, ["do_center_crop"] = true, ["do_rescale"] = true,
            ["do_normalize"] = true, ["do_convert_rgb"] = true, ["resample"] = 3,   // bicubic
            ["size"] = new JsonObject { ["shortest_edge"] = a.ImageSize },
            ["crop_size"] = new JsonObject { ["height"] = a.ImageSize, ["width"] = a.ImageSize },
            ["image_mean"] = ArrayOf(normalization.Mean.ToArray()), ["image_std"] = ArrayOf(normalization.StandardDeviation.ToArray()),
        });
    }

    private static JsonObject TowerOf(string type, int width, int layers, int heads, ClipArchitecture architecture,
        params (string Name, int Value)[] others)
    {
        var tower = new JsonObject
        {
            ["model_type"] = type, ["hidden_size"] = width, ["intermediate_size"] = (long)(width * architecture.MlpRatio),
            ["num_hidden_layers"] = layers, ["num_attention_heads"] = heads, ["projection_dim"] = architecture.EmbeddingSize,
            ["hidden_act"] = architecture.Activation == ClipActivation.QuickGelu ? "quick_gelu" : "gelu", ["layer_norm_eps"] = 1e-5,
        };
        foreach (var (name, value) in others) tower.Add(name, value);
        return tower;
    }

    private static JsonArray ArrayOf<T>(IEnumerable<T> values) => [.. values.Select(v => JsonValue.Create(v))];
}
