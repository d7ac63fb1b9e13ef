namespace Microsoft.ML.PrefixConditioning;

/// <summary>One way to classify.</summary>
/// <param name="Name">In tables, such as "caption".</param>
/// <param name="Phrase">Within a sentence, such as "the caption prefix".</param>
internal sealed record Way(string Name, string Phrase);

/// <summary>A test set with what every way to classify says about it.</summary>
internal sealed record ComparedTest(string Name, ScoredTestSet Scores);

/// <summary>Ways to classify, compared on test sets with one of them.</summary>
/// <param name="Ways">The model's prefixes, the default one first, then the baseline.</param>
/// <param name="Reference">Index of the way that others are compared with.</param>
/// <param name="Tests">In the order of the report.</param>
internal sealed record ReportComparison(IReadOnlyList<Way> Ways, int Reference, IReadOnlyList<ComparedTest> Tests)
{
    /// <summary>Index of the default prefix, which the headline is about.</summary>
    public const int Subject = 0;

    /// <summary>Whether a way is better than the reference, and not by chance.</summary>
    public bool HasStar(ScoredTestSet test, int way) => way != Reference && test.Difference(way, Reference).IsBetter;

    /// <summary>What a star means, in a sentence.</summary>
    public string StarMeaning(string star) => Ways.Count < 2 ? ""
        : $"{star} marks what is better than {Ways[Reference].Phrase}: the 95 % interval of their difference on the same images " +
            "excludes zero.";

    /// <summary>Scores the test sets with all prefixes of the model, its blends, and the baseline.</summary>
    /// <exception cref="ArgumentException">A blend names a dataset type that the model was not trained on.</exception>
    public static ReportComparison Of(PrefixClipTransformer model, ReportOptions options)
    {
        var prefixes = Prefixes(model.Trained, options.Blends);
        List<Way> ways = [.. prefixes.Select(WayOf)];
        if (options.Baseline is not null) ways.Add(new(options.BaselineName, options.BaselineName));
        var tests = new List<ComparedTest>();
        foreach (var test in options.TestSets)
        {
            var classification = test.Classification ?? DefaultClasses(model, test);
            var images = classification.ImageColumnName ?? model.Trained.Settings.ImageColumnName;
            if (options.Baseline is not null && test.Data.Schema.GetColumnOrNull(images) is { } column
                && !ColumnReader.IsImageColumn(column.Type))
                throw new ArgumentException(
                    $"The test set '{test.Name}' has embeddings in column '{images}', which are those of one model. Pass images, or no " +
                    "baseline.");
            var scores = ScoredTestSet.Of(model.Trained, test.Data, classification, prefixes);
            if (options.Baseline is { } baseline)
                scores = Added(scores, ScoredTestSet.Of(baseline.Trained, test.Data, classification, [Prefixes(baseline.Trained, [])[0]]),
                    test.Name);
            tests.Add(new(test.Name, scores));
        }
        return new(ways, options.Baseline is not null ? ways.Count - 1 : Math.Min(1, ways.Count - 1), tests);
    }

    private static ScoredTestSet Added(ScoredTestSet scores, ScoredTestSet baseline, string name) =>
        scores.RowNumbers.SequenceEqual(baseline.RowNumbers)
            ? scores with { Classifiers = [.. scores.Classifiers, .. baseline.Classifiers] }
            : throw new InvalidDataException(
                $"The model and its baseline did not read the same rows of the test set '{name}', so their accuracies cannot be " +
                "compared. Pass a view that gives the same rows in every pass.");

    // The default first, then the other types, none, and the blends. A model without prefixes has only one way.
    private static PrefixSelection[] Prefixes(TrainedModel model, IReadOnlyList<PrefixSelection> blends)
    {
        if (model.Settings is { PrefixLength: 0, ImagePrefixLength: 0 }) return [PrefixSelection.None];
        var types = model.Settings.DatasetTypes;
        return [.. types.Select(type => PrefixSelection.For(type.Name)).Prepend(PrefixResolution.Default(types))
            .Append(PrefixSelection.None).Concat(blends).Distinct()];
    }

    private static Way WayOf(PrefixSelection prefix) => new(prefix.ToString(), prefix.Weights.Count switch
    {
        0 => "no prefix",
        1 => $"the {prefix} prefix",
        _ => $"the blend {prefix}",
    });

    private static ZeroShotClassificationOptions DefaultClasses(PrefixClipTransformer model, ReportTestSet test)
    {
        var settings = model.Trained.Settings;
        var label = ColumnReader.RequireTextOrKey(
            test.Data.Schema, settings.LabelColumnName, $"{nameof(ReportTestSet)}.{nameof(ReportTestSet.Classification)}");
        var names = ColumnReader.DifferentTexts(model.Environment, test.Data, label);
        if (names.Length < 2)
            throw new InvalidDataException(
                $"The test set '{test.Name}' has {names.Length} classes in column '{settings.LabelColumnName}'; at least 2 are needed. " +
                $"Pass more rows, or the class names in {nameof(ReportTestSet)}.{nameof(ReportTestSet.Classification)}.");
        return new() { ClassNames = [.. names.Order(StringComparer.Ordinal)], LabelColumnName = settings.LabelColumnName };
    }
}
