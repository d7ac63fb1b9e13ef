using System.Globalization;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Chooses a test-time prefix from unlabeled images: the nearer they are to a dataset type's training images, the larger its
/// share.</summary>
/// <remarks>Formula and results: docs/evaluation.md.</remarks>
internal static class AutoPrefix
{
    private const double ShareScale = 6;        // chosen on the validation splits of docs/study.md
    private const double LargestShare = 1.25;   // above 1, the blend leads away from the other type

    /// <summary>Checks that the model has the summaries that the choice needs.</summary>
    /// <exception cref="ArgumentException">It has none.</exception>
    public static void Check(TrainedModel model)
    {
        if (model.Summaries is null)
            throw new ArgumentException(
                $"{nameof(PrefixSelection)}.{nameof(PrefixSelection.Auto)} compares images with the training images, but this model has " +
                "no summaries of them: an older version of the package saved it, or it was trained elsewhere. Name a prefix, or train " +
                "the model with this version.");
    }

    /// <summary>The prefix for the view's images: of the caption type whose training images are nearest, of the nearest other type, or
    /// a blend of the two.</summary>
    /// <exception cref="ArgumentException">The model has no summaries, or the view has embeddings with another image prefix.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">The view has no readable image.</exception>
    public static PrefixSelection Choose(IHost host, TrainedModel model, IDataView view, ZeroShotClassificationOptions options)
    {
        Check(model);
        var types = model.Settings.DatasetTypes;
        PrefixSelection ImagePrefix(int type) =>
            PrefixResolution.ImagePrefix(model.Settings.ImagePrefixLength, PrefixSelection.For(types[type].Name));
        var images = EncodedImages.Read(model, view, new ImageRequest
        {
            ImageColumnName = options.ImageColumnName ?? model.Settings.ImageColumnName,
            ImagePrefixes = [.. Enumerable.Range(0, types.Count).Select(ImagePrefix).Distinct()],
            BadRows = model.Settings.BadRows,
            MaxRows = options.MaxAutoImages,
        });
        if (images.Count == 0)
            throw new InvalidDataException(images.Rows == 0
                ? "The view has no rows, but PrefixSelection.Auto chooses the prefix from images. Pass images of the kind to be " +
                    "classified, which need no labels, or name a prefix."
                : $"None of the {images.Rows} sampled images can be read, so PrefixSelection.Auto cannot choose a prefix. " +
                    "Pass readable images, or name a prefix.");
        double[] distances = [.. types.Select((_, type) => EmbeddingSummary.SquaredDistance(
            EmbeddingSummary.Of(images.Embeddings(ImagePrefix(type))), model.Summaries![type]))];
        var prefix = FromDistances(types, distances);
        using var channel = host.Start("Choosing a prefix");
        channel.Info(MessageSensitivity.None, "{0}", $"Prefix '{prefix}'. Squared distances from the training images: " + string.Join(
            ", ", types.Select((type, i) => string.Create(CultureInfo.InvariantCulture, $"{type.Name} {distances[i]:0.0000}"))) + ".");
        return prefix;
    }

    /// <summary>Turns squared distances from each type's training images into a prefix.</summary>
    private static PrefixSelection FromDistances(IReadOnlyList<DatasetType> types, double[] distances)
    {
        // The default type first: of equal distances it wins.
        var first = PrefixResolution.Default(types).Weights[0].DatasetType;
        int[] order = [.. Enumerable.Range(0, types.Count).OrderBy(i => types[i].Name != first)];
        int[] captions = [.. order.Where(i => types[i].Texts == TextKind.Caption)];
        var nearest = captions.Length > 0 ? captions.MinBy(i => distances[i]) : order[0];
        if (types.Count == 1) return PrefixSelection.For(types[nearest].Name);
        var other = order.Where(i => i != nearest).MinBy(i => distances[i]);
        return Math.Round(FirstShare(distances[nearest], distances[other]), 2) switch   // in hundredths, as reports show it
        {
            0 => PrefixSelection.For(types[other].Name),
            1 => PrefixSelection.For(types[nearest].Name),
            var share => PrefixSelection.Blend((types[nearest].Name, share), (types[other].Name, Math.Round(1 - share, 2))),
        };
    }

    /// <summary>Share of the first type's prefix: 1 + ln(other / first) / 6, from 0 to 1.25.</summary>
    /// <param name="first">Squared distance of the images from the first type's training images.</param>
    /// <param name="other">Squared distance from the other type's.</param>
    private static double FirstShare(double first, double other) =>
        first == other ? 1 : Math.Clamp(1 + Math.Log(other / first) / ShareScale, 0, LargestShare);
}
