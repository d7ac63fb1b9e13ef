using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What the configuration files beside a model's weights say of it; null where they do not.</summary>
/// <remarks>
/// Sources: open_clip v3.3.0's <c>CLIPVisionCfg</c> and <c>CLIPTextCfg</c>, Hugging Face's <c>CLIPConfig</c> and
/// <c>CLIPImageProcessor</c>, with their defaults. A setting that would change what the model computes, and that the towers here do not
/// have, is refused by name.
/// </remarks>
internal sealed record PretrainedConfig
{
    private const string OpenClipName = "open_clip_config.json", HuggingFaceName = "config.json",
        PreprocessorName = "preprocessor_config.json";
    private const double HuggingFaceEpsilon = 1e-5;

    /// <summary>Nothing is known but what the weights show.</summary>
    public static PretrainedConfig Empty { get; } = new();

    /// <summary>The file that says so, for messages.</summary>
    public string Source { get; init; } = "";

    public ClipActivation? Activation { get; init; }
    public int? VisionHeads { get; init; }
    public int? TextHeads { get; init; }
    public ImageNormalisation? Normalisation { get; init; }

    /// <summary>Sizes that the weights show too, by the architecture's names; they must agree.</summary>
    public IReadOnlyDictionary<string, int> Sizes { get; init; } = new Dictionary<string, int>();

    /// <summary>Reads the files of a folder: those of the weights' own layout, or else the other's.</summary>
    /// <exception cref="InvalidDataException">A file is damaged, or asks for what the towers here do not have.</exception>
    public static PretrainedConfig Read(string folder, ClipLayout layout)
    {
        var (openClip, huggingFace) = (Path.Combine(folder, OpenClipName), Path.Combine(folder, HuggingFaceName));
        var first = layout == ClipLayout.OpenClip ? openClip : huggingFace;
        var path = File.Exists(first) ? first : layout == ClipLayout.OpenClip ? huggingFace : openClip;
        var config = !File.Exists(path) ? Empty : Parse(path, root => path == openClip ? OfOpenClip(root)
            : OfHuggingFace(root)) with
        { Source = path };
        var preprocessor = Path.Combine(folder, PreprocessorName);
        return config.Normalisation is not null || !File.Exists(preprocessor) ? config : Parse(preprocessor, root =>
            config.WithPreprocessor(root));
    }

    private static T Parse<T>(string path, Func<JsonElement, T> parse)
    {
        try
        {
            using var document = JsonDocument.Parse(SmallFile.Read(path));
            return parse(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException
            or InvalidDataException)
        {
            throw new InvalidDataException($"The configuration '{path}' cannot be used: {e.Message}", e);
        }
    }

    private static PretrainedConfig OfOpenClip(JsonElement root)
    {
        var model = root.TryGetProperty("model_cfg", out var inner) ? inner : root;
        JsonElement vision = model.GetProperty("vision_cfg"), text = model.GetProperty("text_cfg");
        Refuse(model, ("custom_text", "false"), ("init_logit_bias", "null"));
        Refuse(vision, ("timm_model_name", "null"), ("attentional_pool", "false"), ("global_average_pool", "false"), ("pool_type", "tok"),
            ("no_ln_pre", "false"), ("final_ln_after_pool", "false"), ("pos_embed_type", "learnable"), ("ls_init_value", "null"),
                ("input_patchnorm", "false"),
            ("act_kwargs", "null"), ("norm_kwargs", "null"), ("block_type", "null"), ("qk_norm", "false"));
        Refuse(text, ("hf_model_name", "null"), ("embed_cls", "false"), ("pool_type", "argmax"), ("no_causal_mask", "false"),
            ("proj_bias", "false"),
            ("proj_type", "linear"), ("final_ln_after_pool", "false"), ("ls_init_value", "null"), ("act_kwargs", "null"), ("norm_kwargs",
                "null"));
        var sizes = new Dictionary<string, int>(StringComparer.Ordinal);
        Add(sizes, nameof(ClipArchitecture.EmbeddingSize), model, "embed_dim");
        Add(sizes, nameof(ClipArchitecture.ImageSize), vision, "image_size");
        Add(sizes, nameof(ClipArchitecture.PatchSize), vision, "patch_size");
        Add(sizes, nameof(ClipArchitecture.VisionWidth), vision, "width");
        if (!vision.TryGetProperty("layers", out var layers) || layers.ValueKind == JsonValueKind.Number) Add(sizes,
            nameof(ClipArchitecture.VisionLayers), vision, "layers");
        Add(sizes, nameof(ClipArchitecture.ContextLength), text, "context_length");
        Add(sizes, nameof(ClipArchitecture.TextWidth), text, "width");
        Add(sizes, nameof(ClipArchitecture.TextLayers), text, "layers");
        Add(sizes, VocabularyKey, text, "vocab_size");
        var headWidth = Int(vision, "head_width") ?? 64;
        var quick = model.TryGetProperty("quick_gelu", out var value) && value.GetBoolean();
        var preprocess = root.TryGetProperty("preprocess_cfg", out var cfg) ? cfg : default;
        if (preprocess.ValueKind == JsonValueKind.Object) Refuse(preprocess, ("mode", "RGB"), ("interpolation", "bicubic"), ("resize_mode",
            "shortest"));
        return new PretrainedConfig
        {
            Activation = quick ? ClipActivation.QuickGelu : ClipActivation.Gelu,
            VisionHeads = sizes.TryGetValue(nameof(ClipArchitecture.VisionWidth), out var width) && headWidth > 0
                ? (layers.ValueKind == JsonValueKind.Array ? width * ResNetTower.Reduction : width) / headWidth : null,
            TextHeads = Int(text, "heads") ?? 8,
            Normalisation = preprocess.ValueKind == JsonValueKind.Object ? NormalisationOf(preprocess, "mean", "std") : null,
            Sizes = sizes,
        };
    }

    private static PretrainedConfig OfHuggingFace(JsonElement root)
    {
        JsonElement vision = root.GetProperty("vision_config"), text = root.GetProperty("text_config");
        var sizes = new Dictionary<string, int>(StringComparer.Ordinal);
        Add(sizes, nameof(ClipArchitecture.EmbeddingSize), root, "projection_dim");
        Add(sizes, nameof(ClipArchitecture.ImageSize), vision, "image_size");
        Add(sizes, nameof(ClipArchitecture.PatchSize), vision, "patch_size");
        Add(sizes, nameof(ClipArchitecture.VisionWidth), vision, "hidden_size");
        Add(sizes, nameof(ClipArchitecture.VisionLayers), vision, "num_hidden_layers");
        Add(sizes, nameof(ClipArchitecture.ContextLength), text, "max_position_embeddings");
        Add(sizes, nameof(ClipArchitecture.TextWidth), text, "hidden_size");
        Add(sizes, nameof(ClipArchitecture.TextLayers), text, "num_hidden_layers");
        Add(sizes, VocabularyKey, text, "vocab_size");
        var (ofVision, ofText) = (ActivationOf(vision), ActivationOf(text));
        if (ofVision != ofText)
            throw new InvalidDataException($"the vision tower's activation is {ofVision}, the text tower's " +
                $"{ofText}; the towers here share one.");
        foreach (var tower in new[] { vision, text })
            if (tower.TryGetProperty("layer_norm_eps", out var epsilon) && Math.Abs(epsilon.GetDouble() - HuggingFaceEpsilon) > 1e-9)
                throw new InvalidDataException(FormattableString.Invariant(
                    $"\"layer_norm_eps\" is {epsilon.GetDouble()}; the towers here have {HuggingFaceEpsilon}."));
        return new PretrainedConfig
        {
            Activation = ofVision, VisionHeads = Int(vision, "num_attention_heads") ?? 12, TextHeads = Int(text, "num_attention_heads")
                ?? 8, Sizes = sizes,
        };
    }

    /// <summary>The vocabulary's size among <see cref="Sizes"/>.</summary>
    public const string VocabularyKey = "VocabularySize";

    private PretrainedConfig WithPreprocessor(JsonElement root)
    {
        Refuse(root, ("resample", "3"), ("do_normalize", "true"), ("do_resize", "true"), ("do_center_crop", "true"), ("do_rescale",
            "true"));
        var crop = Side(root, "crop_size", "height");
        RequireShortestEdge(root, crop);
        var sizes = new Dictionary<string, int>(Sizes, StringComparer.Ordinal);
        if (crop is { } size) sizes.TryAdd(nameof(ClipArchitecture.ImageSize), size);
        return this with { Normalisation = NormalisationOf(root, "image_mean", "image_std"), Sizes = sizes };
    }

    /// <summary>Images are resized by their shorter side to the size that is then cut out; a model that does otherwise is refused.</summary>
    private static void RequireShortestEdge(JsonElement root, int? crop)
    {
        if (!root.TryGetProperty("size", out var size)) return;
        var edge = Side(root, "size", "shortest_edge") ?? throw new InvalidDataException(
            $"\"size\" is {Shorten(size)}; images are resized by their shorter side here (\"shortest_edge\"), not squashed.");
        if (crop is { } side && side != edge)
            throw new InvalidDataException(FormattableString.Invariant(
                $"\"size\" is {edge} and \"crop_size\" {side}; images are resized here to the size that is cut out."));
    }

    /// <summary>A length in pixels: older files give a number, newer ones an object that names the side.</summary>
    private static int? Side(JsonElement root, string name, string side) => !root.TryGetProperty(name, out var value) ? null : value.ValueKind switch
    {
        JsonValueKind.Number => value.GetInt32(),
        JsonValueKind.Object => Int(value, side),
        _ => null,
    };

    private static ImageNormalisation? NormalisationOf(JsonElement values, string meanName, string deviationName)
    {
        if (!values.TryGetProperty(meanName, out var mean) || !values.TryGetProperty(deviationName, out var deviation)) return null;
        var result = new ImageNormalisation(Colours(meanName, mean), Colours(deviationName, deviation));
        return result.Faults().FirstOrDefault() is { } fault ? throw new InvalidDataException(fault) : result;
    }

    private static ColourValues Colours(string name, JsonElement values) => values.ValueKind == JsonValueKind.Array
        && values.GetArrayLength() == 3
        ? new ColourValues((float)values[0].GetDouble(), (float)values[1].GetDouble(), (float)values[2].GetDouble())
        : throw new InvalidDataException($"\"{name}\" is {Shorten(values)}; three numbers are expected, of red, green and blue.");

    private static ClipActivation ActivationOf(JsonElement tower) => !tower.TryGetProperty("hidden_act", out var name)
        ? ClipActivation.QuickGelu : name.GetString() switch
        {
            "quick_gelu" => ClipActivation.QuickGelu,   // also the default of Hugging Face's configuration
            "gelu" => ClipActivation.Gelu,
            var other => throw new InvalidDataException($"\"hidden_act\" is '{other}'; 'gelu' and 'quick_gelu' are supported."),
        };

    /// <summary>Settings that may only have the value that the towers here have.</summary>
    private static void Refuse(JsonElement values, params (string Name, string Only)[] known)
    {
        foreach (var (name, only) in known)
            if (values.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null && !string.Equals(value.ToString(),
                only, StringComparison.OrdinalIgnoreCase))
                throw new InvalidDataException($"\"{name}\" is {Shorten(value)}, which is not supported; only {only} is.");
    }

    private static void Add(Dictionary<string, int> sizes, string property, JsonElement values, string name)
    {
        if (Int(values, name) is { } size) sizes[property] = size;
    }

    private static int? Int(JsonElement values, string name) =>
        values.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetInt32() : null;

    private static string Shorten(JsonElement value) => value.GetRawText() is { Length: > 60 } text ? text[..60] + "..." : value.GetRawText(
        );
}
