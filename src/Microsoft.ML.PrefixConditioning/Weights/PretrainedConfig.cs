using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Settings of the configuration files beside a model's weights; null where they state nothing.</summary>
/// <remarks>
/// Sources: open_clip v3.3.0's <c>CLIPVisionCfg</c> and <c>CLIPTextCfg</c>, Hugging Face's <c>CLIPConfig</c>, with their defaults.
/// <see cref="ConfigKeys"/> says which settings are honored, and which are refused by name.
/// </remarks>
internal sealed record PretrainedConfig
{
    private const string OpenClipName = "open_clip_config.json", HuggingFaceName = "config.json",
        TokenizerName = "tokenizer_config.json", ProcessorName = "processor_config.json",
        PreprocessorName = "preprocessor_config.json";

    private static readonly string[] OtherSides = ["longest_edge", "height", "width", "max_height", "max_width"];

    /// <summary>No configuration: only the weights are known.</summary>
    public static PretrainedConfig Empty { get; } = new();

    /// <summary>The configuration file, for messages.</summary>
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
        return config.Normalization is not null || OfProcessor(folder) is not { } images ? config : config with
        {
            Normalization = images.Normalization,
            Warnings = [.. config.Warnings, .. images.Warnings],
            Sizes = [.. config.Sizes, .. images.Sizes],
        };
    }

    /// <summary>Rejects settings beside a vocabulary that would give other token ids than <see cref="ClipTokenizer"/>.</summary>
    /// <param name="place">A folder with a vocabulary, or the vocabulary's file.</param>
    /// <param name="contextLength">Where texts are cut.</param>
    /// <returns>Lines for the log: settings that are not known.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or asks for another tokenizer.</exception>
    public static IReadOnlyList<string> CheckTokenizer(string place, int contextLength)
    {
        var path = Path.Combine(Directory.Exists(place) ? place : Path.GetDirectoryName(Path.GetFullPath(place))!, TokenizerName);
        if (!File.Exists(path)) return [];
        var settings = ConfigSection.Read(path).Check(ConfigKeys.Tokenizer);
        RequireToken(settings, "bos_token", ClipWords.StartText, "<|startoftext|>");
        RequireToken(settings, "eos_token", ClipWords.EndText, "<|endoftext|>");
        if (settings.Number("model_max_length") is { } longest && longest < contextLength)   // "no limit" is written as 1e30
            throw settings.Fault("model_max_length", string.Create(CultureInfo.InvariantCulture,
                $"texts are cut at the model's context length here, which is {contextLength}. Set it to that."));
        return settings.Warnings;
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
        return new PretrainedConfig
        {
            Source = root.Path,
            Activation = model.Flag("quick_gelu") ? ClipActivation.QuickGelu : ClipActivation.Gelu,
            VisionHeads = stages is null ? (width ?? 768) / headWidth : (width ?? 64) * ResNetTower.Reduction / headWidth,
            TextHeads = text.Count("heads") ?? 8,
            Normalization = root.Section("preprocess_cfg") is { } preprocess
                ? NormalizationOf(preprocess.Check(ConfigKeys.OpenClipPreprocess), "mean", "std") : null,
            Stages = stages, Warnings = root.Warnings,
            Sizes =
            [
                .. ConfiguredSize.Of(ClipLayout.OpenClip, isResNet: stages is not null, model, vision, text),
                .. ConfiguredSize.Said(root.Path, ConfiguredSize.VisionHidden,
                    stages is null ? (int?)((width ?? 768) * vision.Number("mlp_ratio")) : null),
                .. ConfiguredSize.Said(root.Path, ConfiguredSize.TextHidden,
                    (int?)((text.Whole("width") ?? 512) * text.Number("mlp_ratio"))),
            ],
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
            TextHeads = text.Count("num_attention_heads") ?? 8, Warnings = root.Warnings,
            Sizes = [.. ConfiguredSize.Of(ClipLayout.HuggingFace, isResNet: false, root, vision, text)],
        };
    }

    /// <summary>Mean, deviation and size of images from the files of Hugging Face's image processor; null where a folder has
    /// none.</summary>
    /// <remarks>transformers 5 writes the settings into processor_config.json and reads that first; older versions know the other file
    /// only. If a folder has both, they must agree.</remarks>
    /// <exception cref="InvalidDataException">A file asks for what is not done here, or the two files differ.</exception>
    private static PretrainedConfig? OfProcessor(string folder)
    {
        ConfigSection? Open(string name) => Path.Combine(folder, name) is var path && File.Exists(path) ? ConfigSection.Read(path) : null;
        var newer = Open(ProcessorName)?.Check(ConfigKeys.Processor).Section("image_processor") is { } section ? OfImages(section) : null;
        var older = Open(PreprocessorName) is { } only ? OfImages(only) : null;
        if (newer is null || older is null) return newer ?? older;
        int? SideOf(PretrainedConfig images) => images.Sizes.SingleOrDefault()?.Value;
        string Describe(PretrainedConfig images) => $"mean {images.Normalization!.Mean}, deviation " +
            string.Create(CultureInfo.InvariantCulture, $"{images.Normalization.StandardDeviation}, crop size {SideOf(images)}");
        var (side, olderSide) = (SideOf(newer), SideOf(older));
        if (newer.Normalization != older.Normalization || (side ?? olderSide) != (olderSide ?? side))
            throw new InvalidDataException($"'{newer.Source}' and '{older.Source}' contradict each other: {Describe(newer)} in the " +
                $"first, {Describe(older)} in the second. Remove the one that is not the model's; older versions of transformers read " +
                "the second only.");
        return newer;
    }

    private static PretrainedConfig OfImages(ConfigSection settings)
    {
        var normalization = NormalizationOf(settings.Check(ConfigKeys.ImageProcessor), "image_mean", "image_std");
        var crop = settings.Side("crop_size");
        var edge = ShortestEdge(settings);
        if (edge is not null && crop is not null && crop != edge)
            throw settings.Fault("size", $"\"crop_size\" is {crop}, and images are resized here to the size that is cut out.");
        return new PretrainedConfig
        {
            Source = settings.Path, Normalization = normalization, Warnings = settings.Warnings,
            Sizes = [.. ConfiguredSize.Said(settings.Path, nameof(ClipArchitecture.ImageSize), crop ?? edge)],
        };
    }

    /// <summary>Images are resized by their shorter side; a model that does otherwise is refused. Older files give a number.</summary>
    private static int? ShortestEdge(ConfigSection settings)
    {
        const string Squashed = "images are resized by their shorter side here (\"shortest_edge\"), not squashed or padded.";
        if (settings.Wholes("size") is not null) throw settings.Fault("size", Squashed);
        if (!settings.IsObject("size")) return settings.Whole("size");
        var size = settings.Section("size")!;
        return size.Whole("shortest_edge") is { } edge && !OtherSides.Any(size.Has) ? edge : throw settings.Fault("size", Squashed);
    }

    private static ImageNormalization NormalizationOf(ConfigSection settings, string meanName, string deviationName)
    {
        var (mean, deviation) = (settings.Colors(meanName), settings.Colors(deviationName));
        if (deviation?.ToArray().Any(v => v <= 0) == true) throw settings.Fault(deviationName, "three numbers above 0 are expected.");
        return new ImageNormalization(mean ?? ImageNormalization.Clip.Mean, deviation ?? ImageNormalization.Clip.StandardDeviation);
    }

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
