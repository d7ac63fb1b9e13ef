using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Scores one labeled view with several prefixes; images are encoded once.</summary>
internal static class PrefixEvaluation
{
    private const string EmbeddingColumn = "ImageEmbedding";

    /// <summary>Scores the view with each of the model's prefixes, with none, and with additional selections.</summary>
    public static PrefixComparison Run(
        IHostEnvironment environment, MulticlassClassificationCatalog catalog, IDataView data, PrefixClipTransformer model,
        ZeroShotClassificationOptions options, IEnumerable<PrefixSelection> further, int topK)
    {
        var classes = new PrefixedClasses(model.Trained, options);
        classes.Keys.WarnOfRepeated(environment);
        var prefixes = PrefixesOf(model, further);
        PrefixSelection ImagePrefix(PrefixSelection prefix) =>
            PrefixResolution.ImagePrefix(model.Trained.Settings.ImagePrefixLength, prefix);
        var images = EncodedImages.ReadLabeled(model.Trained, data, options, classes.Keys, [.. prefixes.Select(ImagePrefix).Distinct()]);
        var metrics = prefixes.Select(prefix =>
        {
            var embeddings = images.Embeddings(ImagePrefix(prefix));
            var scored = Scored(environment, model, classes.Classifier(prefix, EmbeddingColumn), embeddings, images.Labels);
            return new PrefixMetrics(prefix, catalog.Evaluate(scored, options.LabelColumnName, options.ScoreColumnName,
                options.PredictedLabelColumnName, Math.Min(topK, classes.Count)));
        });
        return new PrefixComparison([.. metrics], images.Count, images.MissingLabels, images.UnreadableImages);
    }

    /// <summary>The prefixes to compare: those of the model's dataset types, none, and additional ones; each once.</summary>
    /// <exception cref="ArgumentException">One names a type that the model was not trained on, or none yet.</exception>
    public static PrefixSelection[] PrefixesOf(PrefixClipTransformer model, IEnumerable<PrefixSelection> further)
    {
        PrefixSelection[] prefixes = [.. model.DatasetTypes.Select(t => PrefixSelection.For(t.Name))
            .Append(PrefixSelection.None).Concat(further).Distinct()];
        foreach (var prefix in prefixes) PrefixResolution.Resolve(prefix, model.DatasetTypes);   // an error before the long step
        return prefixes;
    }

    /// <summary>The error for a prefix without metrics.</summary>
    public static KeyNotFoundException NotCompared(PrefixSelection prefix, IEnumerable<PrefixSelection> compared) => new(
        $"The prefix '{prefix}' was not compared. The compared ones are {NearName.List([.. compared.Select(p => p.ToString())])}.");

    private static IDataView Scored(IHostEnvironment environment, PrefixClipTransformer model, ZeroShotClassifier classifier,
        IReadOnlyList<float[]> embeddings, IReadOnlyList<string> labels)
    {
        var builder = new ArrayDataViewBuilder(environment);
        builder.AddColumn(EmbeddingColumn, NumberDataViewType.Single, [.. embeddings]);
        builder.AddColumn(classifier.LabelColumnName, [.. labels]);
        return new ZeroShotClassificationTransformer(environment, model, classifier, ownsModel: false).Transform(builder.GetDataView());
    }
}
