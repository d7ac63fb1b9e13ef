namespace Microsoft.ML.PrefixConditioning;

/// <summary>What the configuration files beside a model's weights say of it; null where they do not.</summary>
/// <remarks>
/// Sources: open_clip v3.3.0's <c>CLIPVisionCfg</c> and <c>CLIPTextCfg</c>, Hugging Face's <c>CLIPConfig</c>, with their defaults.
/// <see cref="ConfigKeys"/> says which settings are honored, and which are refused by name.
/// </remarks>
internal sealed record PretrainedConfig
{
    private const string OpenClipName = "open_clip_config.json", HuggingFaceName = "config.json",
        TokenizerName = "tokenizer_config.json";

    /// <summary>Nothing is known but what the weights show.</summary>
    public static PretrainedConfig Empty { get; } = new();

    /// <summary>The file that says so, for messages.</summary>
    public string Source { get; init; } = "";

    public ClipActivation? Activation { get; init; }
    public int? VisionHeads { get; init; }
    public int? TextHeads { get; init; }
    public ImageNormalization? Normalization { get; init; }

    /// <summary>Sizes that the weights show too; they must agree.</summary>
    public IReadOnlyList<ConfiguredSize> Sizes { get; init; } = [];

    /// <summary>Blocks of a ResNet's stages, which the weights show too.</summary>
    public IReadOnlyList<int>? Stages { get; init; }

    /// <summary>Lines for the log: settings that are not known.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Reads the files of a folder: those of the weights' own layout, or else the other's.</summary>
    /// <exception cref="InvalidDataException">A file is damaged, or asks for what the towers here do not have.</exception>
    public static PretrainedConfig Read(string folder, ClipLayout layout)
    {
        var (openClip, huggingFace) = (Path.Combine(folder, OpenClipName), Path.Combine(folder, HuggingFaceName));
        var first = layout == ClipLayout.OpenClip ? openClip : huggingFace;
        var path = File.Exists(first) ? first : layout == ClipLayout.OpenClip ? huggingFace : openClip;
        var config = !File.Exists(path) ? Empty : path == openClip ? OfOpenClip(ConfigSection.Read(path))
            : OfHuggingFace(ConfigSection.Read(path));
        if (config.Normalization is not null || ImageSettings.OfProcessor(folder) is not { } images) return config;
        return config with
        {
            Normalization = images.Normalization,
            Warnings = [.. config.Warnings, .. images.Warnings],
            Sizes = images.Side is not { } side ? config.Sizes
                : [.. config.Sizes, new(images.Source, nameof(ClipArchitecture.ImageSize), side)],
        };
    }

    /// <summary>Refuses settings beside a vocabulary that would give other token ids than the tokenizer here.</summary>
    /// <param name="place">A folder with a vocabulary, or the vocabulary's file.</param>
    /// <param name="contextLength">Where texts are cut.</param>
    /// <returns>A line for the log: settings that are not known; null without such settings.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or asks for another tokenizer.</exception>
    public static string? CheckTokenizer(string place, int contextLength)
    {
        var path = Path.Combine(Directory.Exists(place) ? place : Path.GetDirectoryName(Path.GetFullPath(place))!, TokenizerName);
        if (!File.Exists(path)) return null;
        var settings = ConfigSection.Read(path).Check(ConfigKeys.Tokenizer);
        RequireToken(settings, "bos_token", ClipWords.StartText, "<|startoftext|>");
        RequireToken(settings, "eos_token", ClipWords.EndText, "<|endoftext|>");
        if (settings.Number("model_max_length") is { } longest && longest < contextLength)   // "no limit" is written as 1e30
            throw settings.Fault("model_max_length", FormattableString.Invariant(
                $"texts are cut at the model's context length here, which is {contextLength}. Set it to that."));
        return settings.Warning;
    }

    private static PretrainedConfig OfOpenClip(ConfigSection root)
    {
        var inner = root.Section("model_cfg");
        if (inner is not null) root.Check(ConfigKeys.OpenClip);
        var model = (inner ?? root).Check(ConfigKeys.OpenClipModel);
        var vision = model.Required("vision_cfg").Check(ConfigKeys.OpenClipVision);
        var text = model.Required("text_cfg").Check(ConfigKeys.OpenClipText);
        text.Section("tokenizer_kwargs")?.Check(ConfigKeys.OpenClipTokenizer);
        if (text.Text("hf_tokenizer_name") is { Length: > 0 } tokenizer && !tokenizer.Contains("clip", StringComparison.OrdinalIgnoreCase))
            throw text.Fault("hf_tokenizer_name", "only CLIP's own tokenizer is supported, as in \"openai/clip-vit-base-patch32\".");
        var (width, headWidth) = (vision.Whole("width"), vision.Count("head_width") ?? 64);
        var stages = vision.Wholes("layers");
        var images = root.Section("preprocess_cfg") is { } preprocess ? ImageSettings.OfOpenClip(preprocess) : null;
        return new PretrainedConfig
        {
            Source = root.Path,
            Activation = model.Flag("quick_gelu") ? ClipActivation.QuickGelu : ClipActivation.Gelu,
            VisionHeads = stages is null ? (width ?? 768) / headWidth : (width ?? 64) * ResNetTower.Reduction / headWidth,
            TextHeads = text.Count("heads") ?? 8,
            Normalization = images?.Normalization, Stages = stages, Warnings = root.Warning is { } warning ? [warning] : [],
            Sizes = SizesOf(root.Path,
                (nameof(ClipArchitecture.EmbeddingSize), model.Whole("embed_dim")),
                (nameof(ClipArchitecture.ImageSize), vision.Side("image_size")),
                // A ResNet's configuration may have a patch size, which means nothing.
                (nameof(ClipArchitecture.PatchSize), stages is null ? vision.Side("patch_size") : null),
                (ConfiguredSize.VisionHidden, stages is null ? (int?)((width ?? 768) * vision.Number("mlp_ratio")) : null),
                (nameof(ClipArchitecture.VisionWidth), width),
                (nameof(ClipArchitecture.VisionLayers), stages is null ? vision.Whole("layers") : null),
                (nameof(ClipArchitecture.ContextLength), text.Whole("context_length")),
                (nameof(ClipArchitecture.TextWidth), text.Whole("width")),
                (nameof(ClipArchitecture.TextLayers), text.Whole("layers")),
                (ConfiguredSize.TextHidden, (int?)((text.Whole("width") ?? 512) * text.Number("mlp_ratio"))),
                (ConfiguredSize.Vocabulary, text.Whole("vocab_size"))),
        };
    }

    private static PretrainedConfig OfHuggingFace(ConfigSection root)
    {
        root.Check(ConfigKeys.HuggingFace);
        // Older files repeat a tower's settings as "..._config_dict", which then replaces the other one, defaults included.
        ConfigSection Tower(string name, ConfigKeys keys) => (root.Section($"{name}_dict") ?? root.Required(name)).Check(keys);
        var vision = Tower("vision_config", ConfigKeys.HuggingFaceVision);
        var text = Tower("text_config", ConfigKeys.HuggingFaceText);
        var (ofVision, ofText) = (ActivationOf(vision), ActivationOf(text));
        if (ofVision != ofText)
            throw text.Fault("hidden_act", $"the vision tower's activation is {ofVision}, the text tower's {ofText}; the towers here " +
                "share one.");
        // The text is pooled at the end token, the last one of the vocabulary. Hugging Face's code takes 2, which older files have,
        // for "the highest id", which is the same.
        var end = (text.Whole("vocab_size") ?? 49_408) - 1;
        if (text.Whole("eos_token_id") is { } said && said != end && said != 2)
            throw text.Fault("eos_token_id", $"{end} is expected, the vocabulary's last token, or 2, as in older files.");
        return new PretrainedConfig
        {
            Source = root.Path, Activation = ofVision, VisionHeads = vision.Count("num_attention_heads") ?? 12,
            TextHeads = text.Count("num_attention_heads") ?? 8, Warnings = root.Warning is { } warning ? [warning] : [],
            Sizes = SizesOf(root.Path,
                (nameof(ClipArchitecture.EmbeddingSize), root.Whole("projection_dim")),
                (nameof(ClipArchitecture.ImageSize), vision.Side("image_size")),
                (nameof(ClipArchitecture.PatchSize), vision.Side("patch_size")),
                (nameof(ClipArchitecture.VisionWidth), vision.Whole("hidden_size")),
                (nameof(ClipArchitecture.VisionLayers), vision.Whole("num_hidden_layers")),
                (ConfiguredSize.VisionHidden, vision.Whole("intermediate_size")),
                (nameof(ClipArchitecture.ContextLength), text.Whole("max_position_embeddings")),
                (nameof(ClipArchitecture.TextWidth), text.Whole("hidden_size")),
                (nameof(ClipArchitecture.TextLayers), text.Whole("num_hidden_layers")),
                (ConfiguredSize.TextHidden, text.Whole("intermediate_size")),
                (ConfiguredSize.Vocabulary, text.Whole("vocab_size"))),
        };
    }

    /// <summary>The sizes that a configuration says.</summary>
    private static ConfiguredSize[] SizesOf(string source, params (string Name, int? Said)[] sizes) =>
        [.. sizes.Where(s => s.Said is not null).Select(s => new ConfiguredSize(source, s.Name, s.Said!.Value))];

    /// <summary>A special token is written as text, or as an object with "content".</summary>
    private static void RequireToken(ConfigSection settings, string name, params string[] expected)
    {
        var token = settings.IsObject(name) ? settings.Section(name)!.Text("content") : settings.Text(name);
        if (token is not null && !expected.Contains(token, StringComparer.Ordinal))
            throw settings.Fault(name, $"\"{expected[1]}\" is expected, as in CLIP's vocabulary.");
    }

    private static ClipActivation ActivationOf(ConfigSection tower) => tower.Text("hidden_act") switch
    {
        null or "quick_gelu" => ClipActivation.QuickGelu,   // also the default of Hugging Face's configuration
        "gelu" => ClipActivation.Gelu,
        _ => throw tower.Fault("hidden_act", "\"gelu\" and \"quick_gelu\" are supported."),
    };
}

/// <summary>A size that a configuration gives and the shapes of the weights show.</summary>
/// <param name="Source">The configuration's file.</param>
/// <param name="Name">A property of <see cref="ClipArchitecture"/>, or one of the names below.</param>
/// <param name="Value">What the file says.</param>
internal sealed record ConfiguredSize(string Source, string Name, int Value)
{
    public const string Vocabulary = "VocabularySize", VisionHidden = "the vision tower's hidden layer",
        TextHidden = "the text tower's hidden layer";

    /// <summary>What the weights show for this size.</summary>
    public int In(ClipArchitecture architecture, int vocabulary) => Name switch
    {
        Vocabulary => vocabulary,
        VisionHidden => (int)(architecture.VisionWidth * architecture.MlpRatio),
        TextHidden => (int)(architecture.TextWidth * architecture.MlpRatio),
        _ => (int)typeof(ClipArchitecture).GetProperty(Name)!.GetValue(architecture)!,
    };
}
