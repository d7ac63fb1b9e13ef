using System.Globalization;
using System.Xml.Linq;
using static Microsoft.ML.PrefixConditioning.Markup;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The report's page, section by section.</summary>
internal static class ReportPage
{
    public static XElement Of(TrainedModel model, ReportOptions options, ReportComparison comparison, string headline) => new("html",
        new XAttribute("lang", "en"),
        new XElement("head",
            new XElement("meta", new XAttribute("charset", "utf-8")),
            new XElement("meta", new XAttribute("name", "viewport"), new XAttribute("content", "width=device-width, initial-scale=1")),
            new XElement("title", options.Title),
            new XElement("style", ReportStyle.Css)),
        new XElement("body", new XElement("main",
            new XElement("h1", options.Title),
            new XElement("p", Class("headline"), headline),
            Prefixes(comparison, options.TestSets),
            Training(model, options),
            comparison.Tests.Select((test, i) => TestSet(model, options.TestSets[i], test, comparison)),
            options.Captioned is { } captioned
                ? new object[] { new XElement("h2", "Retrieval"), RetrievalExamples.Draw(model, captioned) } : null)));

    private static object?[]? Prefixes(ReportComparison comparison, IReadOnlyList<ReportTestSet> tests)
    {
        if (comparison.Tests.Count == 0) return null;
        var rows = comparison.Ways.Select((way, row) => (IEnumerable<object>)
        [
            row == comparison.Reference && comparison.Ways.Count > 1 ? $"{way.Name} (reference)" : way.Name,
            .. comparison.Tests.Select(test => Percent(test.Scores.Accuracy(row)) + (comparison.HasStar(test.Scores, row) ? " ★" : "")),
        ]);
        var chance = (IEnumerable<object>)["chance", .. comparison.Tests.Select(test => Percent(1.0 / test.Scores.ClassNames.Count))];
        return
        [
            new XElement("h2", "Zero-shot accuracy"),
            Table(["prefix", .. comparison.Tests.Select(test => test.Name)], rows.Append(chance)),
            comparison.Ways.Count < 2 ? null : new object[]
            {
                Note(comparison.StarMeaning("★")),
                new XElement("h2", "Differences"),
                Note($"From {comparison.Ways[comparison.Reference].Phrase}, the reference, on the same images. Lines: 95 % intervals. Of " +
                    "20 such intervals, one misses the truth on average. Test on other images before you rely on the best of many."),
                new XElement("div", Class("charts"), comparison.Tests.Select(test => DifferenceChart.Draw(comparison, test))),
            },
        ];
    }

    private static object?[] Training(TrainedModel model, ReportOptions options)
    {
        var history = model.History;
        var baseline = options.Baseline?.History;
        Curve[] Steps(Func<TrainingStep, double> value) =>
        [
            Curve("the model", history, value), .. baseline is null ? Array.Empty<Curve>() : [Curve(options.BaselineName, baseline, value)],
        ];
        XElement?[] charts =
        [
            new LineChart("Training loss", "step", "loss", "0.000") { IsNoisy = true }.Draw(Steps(step => step.Loss)),
            new LineChart("Learning rate", "step", "learning rate", "0.00e-0").Draw(Steps(step => step.LearningRate).Take(1)),
            new LineChart("Validation", "epoch", "accuracy in percent", "0.0").Draw(new Curve("the model",
                [.. history.Validations.Select(v => ((double)v.Epoch, 100 * v.Accuracy))])),
        ];
        return
        [
            new XElement("h2", "Training"),
            List(Facts(model)),
            history.SkipReasons.Count == 0 ? null : new XElement("ul", history.SkipReasons.Select(reason => new XElement("li", reason))),
            history.Steps.Count == 0 ? Note("The model has no history: it was not trained by this package.")
                : new XElement("div", Class("charts"), charts),
        ];
    }

    private static Curve Curve(string name, TrainingHistory history, Func<TrainingStep, double> value) =>
        new(name, [.. history.Steps.Select((step, i) => (i + 1.0, value(step)))]);

    private static IEnumerable<(string, string)> Facts(TrainedModel model)
    {
        var (settings, architecture) = (model.Settings, model.Settings.Architecture);
        yield return ("Images", Invariant(
            $"{architecture.ImageSize} x {architecture.ImageSize} pixels, decoded as {settings.ImageDecoding}"));
        yield return ("Vision tower", architecture.VisionKind?.Name is { } kind ? kind : Invariant(
            $"{Counted(architecture.VisionLayers, "block")} of width {architecture.VisionWidth}, ") +
            Invariant($"patches of {architecture.PatchSize} pixels"));
        yield return ("Text tower", Invariant($"{Counted(architecture.TextLayers, "block")} of width {architecture.TextWidth}, ") +
            Invariant($"{architecture.ContextLength} tokens, vocabulary of {settings.VocabularySize:N0}"));
        yield return ("Embedding", Invariant($"{architecture.EmbeddingSize} numbers, logit scale {model.LogitScale:0.0}"));
        yield return ("Parameters", Invariant($"{model.ParameterCount:N0}"));
        yield return ("Dataset types", string.Join(", ", settings.DatasetTypes.Select(type => type.Name)));
        yield return ("Prefix", settings.PrefixLength == 0 ? "none" : Counted(settings.PrefixLength, "token")
            + (settings.ImagePrefixLength == 0 ? "" : $"; {Counted(settings.ImagePrefixLength, "token")} of images"));
        yield return ("Prompt templates", Invariant($"{settings.Templates.Count}, such as \"{settings.Templates[0]}\""));
        yield return ("Precision", $"{settings.Precision}");
        if (model.History.Steps.Count > 0) yield return ("Steps", Invariant($"{model.History.Steps.Count:N0}"));
        if (model.History.SkippedRows > 0) yield return ("Skipped rows", Invariant($"{model.History.SkippedRows:N0}"));
    }

    private static object?[] TestSet(TrainedModel model, ReportTestSet test, ComparedTest compared, ReportComparison comparison)
    {
        var scores = compared.Scores;
        // The headline has the number of images of a single test set.
        var counts = comparison is { Tests.Count: 1, Ways.Count: > 1 } ? Counted(scores.ClassNames.Count, "class")
            : $"{Counted(scores.Truth.Count, "image")} of {Counted(scores.ClassNames.Count, "class")}";
        var leftOut = LeftOut(scores.UnreadableImages, scores.MissingLabels, "a label");
        return
        [
            new XElement("h2", $"Test set {test.Name}"),
            test.Description is { } description ? new XElement("p", description) : null,
            new XElement("p", $"{counts}, classified with {comparison.Ways[ReportComparison.Subject].Phrase}.{leftOut}"),
            new XElement("h3", "Confusions"),
            ConfusionTable.Draw(scores),
            CertainPredictions.Draw(scores, test.Data, test.Classification?.ImageColumnName ?? model.Settings.ImageColumnName),
            EmbeddingMap.Draw(scores) is { } map ? new object[] { new XElement("h3", "Map of embeddings"), map } : null,
        ];
    }

    private static XElement List(IEnumerable<(string Key, string Value)> entries) =>
        new("dl", entries.SelectMany(entry => new[] { new XElement("dt", entry.Key), new XElement("dd", entry.Value) }));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
