using System.Text.Json;
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
    private static readonly JsonWriterOptions Json = new() { Indented = true };
    private static readonly string[] ImageSteps = ["do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"];

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
        foreach (var (name, content) in Configurations(layout, settings, network, tokenizer).Concat(tokenizer.Files(
            settings.Architecture.ContextLength)))
            AtomicFile.Replace(Path.Combine(folder, name), stream => stream.Write(content));
        var weights = layout == ClipLayout.OpenClip ? "open_clip_model.safetensors" : "model.safetensors";
        AtomicFile.Replace(Path.Combine(folder, weights), stream => WriteWeights(stream, layout, network, settings));
    }

    /// <summary>The weights alone, as a safetensors file.</summary>
    internal static void WriteWeights(Stream stream, ClipLayout layout, ClipModel network, ModelSettings settings)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var tensors = new List<KeyValuePair<string, Tensor>>();
        foreach (var (name, weight) in network.Weights)
        {
            var origin = WeightOrigin.Of(layout, name);
            var rows = origin.Names.Count > 1 ? weight.shape[0] / origin.Names.Count : 0;
            for (var i = 0; i < origin.Names.Count; i++)
                tensors.Add(new(origin.Names[i], origin.Order == MatrixOrder.Transposed ? weight.transpose(0, 1) : rows > 0
                    ? weight.narrow(0, i * rows, rows) : weight));
        }
        Safetensors.Write(stream, tensors, PretrainedPrefixes.MetadataOf(settings));
    }

    private static IEnumerable<(string Name, byte[] Content)> Configurations(ClipLayout layout, ModelSettings settings, ClipModel network,
        ClipTokenizer tokenizer)
    {
        var a = settings.Architecture;
        if (layout == ClipLayout.OpenClip)
        {
            yield return ("open_clip_config.json", SmallFile.Json(Json, json =>
            {
                json.WriteStartObject("model_cfg");
                json.WriteNumber("embed_dim", a.EmbeddingSize);
                json.WriteBoolean("quick_gelu", a.Activation == ClipActivation.QuickGelu);
                json.WriteStartObject("vision_cfg");
                json.WriteNumber("image_size", a.ImageSize);
                json.WriteNumber("width", a.VisionWidth);
                if (a.ResNet is { } stages)
                {
                    json.WriteStartArray("layers");
                    foreach (var blocks in stages.ToArray()) json.WriteNumberValue(blocks);
                    json.WriteEndArray();
                    json.WriteNumber("head_width", a.VisionWidth * ResNetTower.Reduction / a.VisionHeads);
                }
                else
                {
                    json.WriteNumber("layers", a.VisionLayers);
                    json.WriteNumber("head_width", a.VisionWidth / a.VisionHeads);
                    json.WriteNumber("patch_size", a.PatchSize);
                    WriteRatio(json, a);
                }
                json.WriteEndObject();
                json.WriteStartObject("text_cfg");
                json.WriteNumber("context_length", a.ContextLength);
                json.WriteNumber("vocab_size", settings.VocabularySize);
                json.WriteNumber("width", a.TextWidth);
                json.WriteNumber("heads", a.TextHeads);
                json.WriteNumber("layers", a.TextLayers);
                WriteRatio(json, a);
                json.WriteEndObject();
                json.WriteEndObject();
                json.WriteStartObject("preprocess_cfg");
                WriteColors(json, "mean", settings.Normalization.Mean);
                WriteColors(json, "std", settings.Normalization.StandardDeviation);
                json.WriteEndObject();
            }));
            yield break;
        }
        yield return ("config.json", SmallFile.Json(Json, json =>
        {
            json.WriteStartArray("architectures");
            json.WriteStringValue("CLIPModel");
            json.WriteEndArray();
            json.WriteString("model_type", "clip");
            json.WriteNumber("projection_dim", a.EmbeddingSize);
            json.WriteNumber("logit_scale_init_value", network.LogitScale.ToDouble());
            json.WriteString("torch_dtype", "float32");
            json.WriteStartObject("text_config");
            WriteTower(json, "clip_text_model", a.TextWidth, a.TextLayers, a.TextHeads, a);
            json.WriteNumber("vocab_size", settings.VocabularySize);
            json.WriteNumber("max_position_embeddings", a.ContextLength);
            json.WriteNumber("bos_token_id", tokenizer.StartToken);
            json.WriteNumber("eos_token_id", tokenizer.EndToken);
            json.WriteNumber("pad_token_id", tokenizer.EndToken);
            json.WriteEndObject();
            json.WriteStartObject("vision_config");
            WriteTower(json, "clip_vision_model", a.VisionWidth, a.VisionLayers, a.VisionHeads, a);
            json.WriteNumber("image_size", a.ImageSize);
            json.WriteNumber("patch_size", a.PatchSize);
            json.WriteNumber("num_channels", 3);
            json.WriteEndObject();
        }));
        yield return ("preprocessor_config.json", SmallFile.Json(Json, json =>
        {
            json.WriteString("image_processor_type", "CLIPImageProcessor");
            foreach (var step in ImageSteps) json.WriteBoolean(step, true);
            json.WriteNumber("resample", 3);   // bicubic
            json.WriteStartObject("size");
            json.WriteNumber("shortest_edge", a.ImageSize);
            json.WriteEndObject();
            json.WriteStartObject("crop_size");
            json.WriteNumber("height", a.ImageSize);
            json.WriteNumber("width", a.ImageSize);
            json.WriteEndObject();
            WriteColors(json, "image_mean", settings.Normalization.Mean);
            WriteColors(json, "image_std", settings.Normalization.StandardDeviation);
        }));
    }

    /// <summary>Only where it is not the default: older versions of open_clip do not know it.</summary>
    private static void WriteRatio(Utf8JsonWriter json, ClipArchitecture architecture)
    {
        if (architecture.MlpRatio != 4) json.WriteNumber("mlp_ratio", architecture.MlpRatio);
    }

    private static void WriteTower(Utf8JsonWriter json, string type, int width, int layers, int heads, ClipArchitecture architecture)
    {
        json.WriteString("model_type", type);
        json.WriteNumber("hidden_size", width);
        json.WriteNumber("intermediate_size", (long)(width * architecture.MlpRatio));
        json.WriteNumber("num_hidden_layers", layers);
        json.WriteNumber("num_attention_heads", heads);
        json.WriteNumber("projection_dim", architecture.EmbeddingSize);
        json.WriteString("hidden_act", architecture.Activation == ClipActivation.QuickGelu ? "quick_gelu" : "gelu");
        json.WriteNumber("layer_norm_eps", 1e-5);
    }

    private static void WriteColors(Utf8JsonWriter json, string name, ColorValues colors)
    {
        json.WriteStartArray(name);
        foreach (var color in colors.ToArray()) json.WriteNumberValue(color);
        json.WriteEndArray();
    }
}
