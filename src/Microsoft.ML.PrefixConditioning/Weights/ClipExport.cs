using System.Text.Json;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Writes a model in open_clip's layout or in that of Hugging Face's transformers.</summary>
/// <remarks>
/// Weights are written last, so an interrupted export leaves no new weights. Each file is replaced atomically. Prefixes are additional
/// tensors, <c>prefix_embedding</c> and <c>visual.prefix_embedding</c>; a reader that rejects unknown names must be told to ignore them.
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
        Safetensors.Write(stream, [.. network.WeightsForFiles().SelectMany(w => WeightOrigin.Of(layout, w.Key).Split(w.Value))],
            PretrainedPrefixes.MetadataOf(settings));
    }

    private static IEnumerable<(string Name, JsonObject Content)> Configurations(ClipLayout layout, ModelSettings settings,
        ClipModel network, ClipTokenizer tokenizer)
    {
        var a = settings.Architecture;
        var (model, vision, text) = (new JsonObject(), new JsonObject(), new JsonObject());
        ConfiguredSize.Write(layout, a, settings.VocabularySize, model, vision, text);
        JsonArray mean = ArrayOf(settings.Normalization.Mean.ToArray()),
            deviation = ArrayOf(settings.Normalization.StandardDeviation.ToArray());
        if (layout == ClipLayout.OpenClip)
        {
            model["quick_gelu"] = a.Activation == ClipActivation.QuickGelu;
            (model["vision_cfg"], model["text_cfg"]) = (vision, text);
            if (a.ResNet is { } stages) vision["layers"] = ArrayOf(stages.ToArray());
            vision["head_width"] = a.VisionWidth * (a.ResNet is null ? 1 : ResNetTower.Reduction) / a.VisionHeads;
            text["heads"] = a.TextHeads;
            // only where they are not the default: older versions of open_clip do not know them
            if (a.MlpRatio != 4 && a.ResNet is null) vision["mlp_ratio"] = a.MlpRatio;
            if (a.TextRatio != 4) text["mlp_ratio"] = a.TextRatio;
            if (network.LogitBias is { } bias)
                (model["init_logit_scale"], model["init_logit_bias"]) = (network.LogitScale.Number(), bias.Number());
            yield return ("open_clip_config.json", new JsonObject
            {
                ["model_cfg"] = model, ["preprocess_cfg"] = new JsonObject { ["mean"] = mean, ["std"] = deviation },
            });
            yield break;
        }
        foreach (var (tower, type, heads) in new[] { (text, "text", a.TextHeads), (vision, "vision", a.VisionHeads) })
        {
            (tower["model_type"], tower["projection_dim"], tower["num_attention_heads"]) = ($"clip_{type}_model", a.EmbeddingSize, heads);
            tower["hidden_act"] = a.Activation == ClipActivation.QuickGelu ? "quick_gelu" : "gelu";
            tower["layer_norm_eps"] = 1e-5;
            model[$"{type}_config"] = tower;
        }
        text["bos_token_id"] = tokenizer.StartToken;
        (text["eos_token_id"], text["pad_token_id"]) = (tokenizer.EndToken, tokenizer.EndToken);
        vision["num_channels"] = 3;
        (model["architectures"], model["model_type"], model["torch_dtype"]) = (new JsonArray("CLIPModel"), "clip", "float32");
        model["logit_scale_init_value"] = network.LogitScale.Number();
        yield return ("config.json", model);
        yield return ("preprocessor_config.json", new JsonObject
        {
            ["image_processor_type"] = "CLIPImageProcessor", ["do_resize"] = true, ["do_center_crop"] = true, ["do_rescale"] = true,
            ["do_normalize"] = true, ["do_convert_rgb"] = true, ["resample"] = 3,   // bicubic
            ["size"] = new JsonObject { ["shortest_edge"] = a.ImageSize },
            ["crop_size"] = new JsonObject { ["height"] = a.ImageSize, ["width"] = a.ImageSize },
            ["image_mean"] = mean, ["image_std"] = deviation,
        });
    }

    private static JsonArray ArrayOf<T>(IEnumerable<T> values) => [.. values.Select(v => JsonValue.Create(v))];
}
