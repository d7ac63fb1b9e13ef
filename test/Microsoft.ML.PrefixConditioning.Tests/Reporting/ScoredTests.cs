using System.Globalization;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Made-up results of test sets with two classes, by which images each way classifies correctly.</summary>
internal static class ScoredTests
{
    /// <summary>Runs of images that are right (+) or wrong (-), such as "+60 -40".</summary>
    public static ScoredTestSet Of(params string[] ways)
    {
        var right = ways.Select(Expand).ToArray();
        var truth = new int[right[0].Length];
        return new ScoredTestSet(
            ["cat", "dog"], truth, [.. truth.Select((_, i) => i + 1L)], [.. truth.Select((_, i) => new float[] { i, 1 })],
            [.. right.Select(way => new Predictions([.. way.Select(r => r ? 0 : 1)], [.. way.Select(_ => 0.75f)]))], 0, 0);
    }

    /// <summary>The caption prefix against the classification prefix.</summary>
    public static ReportComparison Compare(params (string Name, ScoredTestSet Scores)[] tests) => new(
        [new("caption", "the caption prefix"), new("classification", "the classification prefix")], 1,
        [.. tests.Select(test => new ComparedTest(test.Name, test.Scores))]);

    private static bool[] Expand(string runs) => [.. runs.Split(' ').SelectMany(run =>
        Enumerable.Repeat(run[0] == '+', int.Parse(run[1..], CultureInfo.InvariantCulture)))];
}
