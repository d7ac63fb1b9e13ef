using System.Globalization;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Retrieval metrics of one model on one captioned set, for each prefix.</summary>
/// <remarks>Created by <see cref="PrefixEvaluationCatalog"/>. Immutable.</remarks>
public sealed class RetrievalComparison
{
    internal RetrievalComparison(IReadOnlyList<PrefixRetrieval> prefixes, int imageCount, int textCount, long missingTexts,
        long unreadableImages) =>
        (Prefixes, ImageCount, TextCount, MissingTexts, UnreadableImages) =
            (prefixes, imageCount, textCount, missingTexts, unreadableImages);

    /// <summary>The metrics of each prefix: the model's dataset types in their order, no prefix, then the additional ones.</summary>
    public IReadOnlyList<PrefixRetrieval> Prefixes { get; }

    /// <summary>Number of compared images, the same for every prefix.</summary>
    public int ImageCount { get; }

    /// <summary>Number of compared texts, the same for every prefix.</summary>
    public int TextCount { get; }

    /// <summary>Number of rows that are left out because their text is missing.</summary>
    public long MissingTexts { get; }

    /// <summary>Number of images that are left out, with their texts, because they are missing or unreadable.</summary>
    public long UnreadableImages { get; }

    /// <summary>The metrics of one prefix.</summary>
    /// <exception cref="KeyNotFoundException">The prefix was not compared.</exception>
    public PrefixRetrieval this[PrefixSelection prefix]
    {
        get
        {
            ArgumentNullException.ThrowIfNull(prefix);
            return Prefixes.FirstOrDefault(p => p.Prefix.Equals(prefix)) is { Prefix: not null } found ? found
                : throw PrefixEvaluation.NotCompared(prefix, Prefixes.Select(p => p.Prefix));
        }
    }

    /// <summary>A table with one line per prefix: recall at 1, 5 and 10 and mean average precision, from images to texts and from texts to
    /// images.</summary>
    public override string ToString()
    {
        var width = Math.Max("prefix".Length, Prefixes.Max(p => p.Prefix.ToString().Length));
        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture,
            $"{"".PadRight(width)}  image to text            text to image");
        table.AppendLine(CultureInfo.InvariantCulture,
            $"{"prefix".PadRight(width)}    R@1    R@5   R@10    mAP    R@1    R@5   R@10    mAP");
        foreach (var (prefix, imageToText, textToImage) in Prefixes)
            table.AppendLine($"{prefix.ToString().PadRight(width)}{Line(imageToText)}{Line(textToImage)}");
        table.Append(CultureInfo.InvariantCulture, $"{ImageCount} images, {TextCount} texts; {MissingTexts} rows without a text and " +
            $"{UnreadableImages} unreadable images are left out.");
        return table.ToString();

        static string Line(RetrievalMetrics m) => string.Create(CultureInfo.InvariantCulture,
            $"{100 * m.RecallAt1,7:0.0}{100 * m.RecallAt5,7:0.0}{100 * m.RecallAt10,7:0.0}{100 * m.MeanAveragePrecision,7:0.0}");
    }
}

/// <summary>The retrieval metrics of one prefix.</summary>
/// <param name="Prefix">A prefix, none, or a blend.</param>
/// <param name="ImageToText">Every image is a query; its items are its texts.</param>
/// <param name="TextToImage">Every text is a query; its item is its image.</param>
public readonly record struct PrefixRetrieval(PrefixSelection Prefix, RetrievalMetrics ImageToText, RetrievalMetrics TextToImage);
