using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Says in a sentence what a comparison allows to say.</summary>
internal static class Headline
{
    /// <summary>Whether the default prefix is better or worse than the reference, or neither is shown.</summary>
    public static string Of(ReportComparison comparison)
    {
        if (comparison.Tests.Count == 0)
            return "No test set was given: this report says how the model was trained, not how well it classifies.";
        if (comparison.Ways.Count == 1) return "The model has no prefixes to compare, and no baseline was given.";
        var (subject, reference) = (comparison.Ways[ReportComparison.Subject].Phrase, comparison.Ways[comparison.Reference].Phrase);
        var differences = comparison.Tests.Select(test =>
            (test.Name, test.Scores, Difference: test.Scores.Difference(ReportComparison.Subject, comparison.Reference))).ToArray();
        if (differences is [var (name, scores, only)])
        {
            var images = Invariant($"the {scores.Truth.Count} images of \"{name}\"");
            return only switch
            {
                { IsBetter: true } => Capital($"{subject} classifies {images} better than {reference} {By(only)}."),
                { IsWorse: true } => Capital($"{subject} classifies {images} worse than {reference} {By(only)}."),
                _ => Invariant($"The test set \"{name}\" of {scores.Truth.Count} images does not separate {subject} from {reference}: ")
                    + $"the difference is {Points(only)}.",
            };
        }
        string[] better = [.. differences.Where(d => d.Difference.IsBetter).Select(d => $"{Quoted(d.Name)} {By(d.Difference)}")];
        string[] worse = [.. differences.Where(d => d.Difference.IsWorse).Select(d => $"{Quoted(d.Name)} {By(d.Difference)}")];
        string[] neither = [.. differences.Where(d => d.Difference is { IsBetter: false, IsWorse: false }).Select(d => Quoted(d.Name))];
        if (better.Length + worse.Length == 0)
            return Invariant($"None of the {differences.Length} test sets separates {subject} from {reference}: every 95 % interval of ")
                + "their difference includes zero.";
        string[] parts =
        [
            .. better.Length > 0 ? new[] { $"is better on {List(better)}" } : [],
            .. worse.Length > 0 ? new[] { $"{(better.Length > 0 ? "" : "is ")}worse on {List(worse)}" } : [],
        ];
        return $"Compared with {reference}, {subject} {string.Join(", and ", parts)}"
            + (neither.Length > 0 ? $"; {List(neither)} {(neither.Length == 1 ? "does" : "do")} not separate them." : ".");
    }

    // By how much, without a sign: the sentence says who is better.
    private static string By(PairedDifference difference) => "by " + Points(difference.IsWorse
        ? new(-difference.Value, -difference.Upper, -difference.Lower) : difference);

    private static string Points(PairedDifference difference) => Invariant(
        $"{100 * difference.Value:0.0} points (95 % interval {100 * difference.Lower:0.0} to {100 * difference.Upper:0.0})");

    private static string Quoted(string name) => $"\"{name}\"";

    private static string List(string[] parts) =>
        parts.Length == 1 ? parts[0] : string.Join(", ", parts[..^1]) + " and " + parts[^1];

    private static string Capital(string sentence) => char.ToUpperInvariant(sentence[0]) + sentence[1..];

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
