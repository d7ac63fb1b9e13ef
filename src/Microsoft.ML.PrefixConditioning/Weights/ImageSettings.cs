namespace Microsoft.ML.PrefixConditioning;

/// <summary>How a pretrained model's images are prepared: mean, deviation and size. All else that its files may say must be as it is done
/// here.</summary>
/// <param name="Source">The file that says so.</param>
/// <param name="Normalization">Mean and standard deviation of pixels.</param>
/// <param name="Side">Side of the image that is cut out; null where the file does not say it.</param>
/// <param name="Warnings">Lines for the log: settings that are not known.</param>
internal sealed record ImageSettings(string Source, ImageNormalization Normalization, int? Side, IReadOnlyList<string> Warnings)
{
    private static readonly string[] OtherSides = ["longest_edge", "height", "width", "max_height", "max_width"];

    private const string ProcessorName = "processor_config.json", PreprocessorName = "preprocessor_config.json";

    /// <summary>From open_clip's "preprocess_cfg".</summary>
    public static ImageSettings OfOpenClip(ConfigSection preprocess) =>
        new(preprocess.Path, NormalizationOf(preprocess.Check(ConfigKeys.OpenClipPreprocess), "mean", "std"), Side: null, []);

    /// <summary>From the files of Hugging Face's image processor; null where a folder has none.</summary>
    /// <remarks>transformers 5 writes the settings into processor_config.json and reads that first; older versions know the other file
    /// only. Where a folder has both, no version may compute something else than the other.</remarks>
    /// <exception cref="InvalidDataException">A file asks for what is not done here, or the two files differ.</exception>
    public static ImageSettings? OfProcessor(string folder)
    {
        var newer = Open(folder, ProcessorName) is { } file && file.Check(ConfigKeys.Processor).Section("image_processor") is { } section
            ? Of(section) : null;
        var older = Open(folder, PreprocessorName) is { } only ? Of(only) : null;
        if (newer is not null && older is not null && (newer.Normalization != older.Normalization || (newer.Side ?? older.Side) !=
            (older.Side ?? newer.Side)))
            throw new InvalidDataException($"'{newer.Source}' and '{older.Source}' contradict each other: {Describe(newer)} in the " +
                $"first, {Describe(older)} in the second. Remove the one that is not the model's; older versions of transformers read " +
                "the second only.");
        return newer ?? older;
    }

    private static ConfigSection? Open(string folder, string name) =>
        Path.Combine(folder, name) is var path && File.Exists(path) ? ConfigSection.Read(path) : null;

    private static ImageSettings Of(ConfigSection settings)
    {
        var normalization = NormalizationOf(settings.Check(ConfigKeys.ImageProcessor), "image_mean", "image_std");
        var crop = settings.Side("crop_size");
        var edge = ShortestEdge(settings);
        if (edge is not null && crop is not null && crop != edge)
            throw settings.Fault("size", $"\"crop_size\" is {crop}, and images are resized here to the size that is cut out.");
        return new(settings.Path, normalization, crop ?? edge, settings.Warning is { } warning ? [warning] : []);
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

    private static string Describe(ImageSettings settings) => FormattableString.Invariant(
        $"mean {settings.Normalization.Mean}, deviation {settings.Normalization.StandardDeviation}, crop size {settings.Side}");
}
