namespace Microsoft.ML.PrefixConditioning;

/// <summary>A labeled test set that several classifiers have scored. N images, C classes.</summary>
/// <param name="ClassNames">[C], all different.</param>
/// <param name="Truth">[N] indexes of the labels' classes.</param>
/// <param name="RowNumbers">[N] numbers of the images' rows in the view, from 1.</param>
/// <param name="Embeddings">[N] image embeddings of length D, with the first classifier's image prefix.</param>
/// <param name="Classifiers">What each classifier says.</param>
/// <param name="MissingLabels">Rows that are left out because they have no label.</param>
/// <param name="UnreadableImages">Rows that are left out because their image is unreadable.</param>
internal sealed record ScoredTestSet(
    IReadOnlyList<string> ClassNames, IReadOnlyList<int> Truth, IReadOnlyList<long> RowNumbers, IReadOnlyList<float[]> Embeddings,
    IReadOnlyList<Predictions> Classifiers, long MissingLabels, long UnreadableImages)
{
    /// <summary>Whether each image is classified correctly, [N].</summary>
    public bool[] IsRight(int classifier) => [.. Truth.Select((truth, i) => Classifiers[classifier].Classes[i] == truth)];

    /// <summary>Share of images that are classified correctly, 0 to 1.</summary>
    public double Accuracy(int classifier) => IsRight(classifier).Count(right => right) / (double)Truth.Count;

    /// <summary>How much better a classifier is than another.</summary>
    public PairedDifference Difference(int classifier, int from) => PairedDifference.Of(IsRight(classifier), IsRight(from));

    /// <summary>Scores a view with several prefixes of a model. Images are encoded once per image prefix.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">A label is not among the class names, or no row can be scored.</exception>
    public static ScoredTestSet Of(
        TrainedModel model, IDataView data, ZeroShotClassificationOptions options, IReadOnlyList<PrefixSelection> prefixes)
    {
        var classes = new PrefixedClasses(model, options);
        PrefixSelection ImagePrefix(PrefixSelection prefix) => PrefixResolution.ImagePrefix(model.Settings.ImagePrefixLength, prefix);
        foreach (var prefix in prefixes) PrefixResolution.Resolve(prefix, model.Settings.DatasetTypes);   // an error before the long step
        var images = EncodedImages.ReadLabeled(model, data, options, classes.Keys, [.. prefixes.Select(ImagePrefix).Distinct()]);
        var predictions = prefixes.Select(prefix => Predictions.Of(classes.Classifier(prefix, ""), images.Embeddings(ImagePrefix(prefix))));
        return new ScoredTestSet(classes.Keys.Names, [.. images.Labels.Select(label => (int)classes.Keys.Find(label) - 1)],
            images.RowNumbers, images.Embeddings(ImagePrefix(prefixes[0])), [.. predictions], images.MissingLabels,
            images.UnreadableImages);
    }
}

/// <summary>The predicted class of each image, and its probability.</summary>
/// <param name="Classes">[N] indexes of classes.</param>
/// <param name="Probabilities">[N], 0 to 1.</param>
internal sealed record Predictions(IReadOnlyList<int> Classes, IReadOnlyList<float> Probabilities)
{
    /// <summary>Classifies images by their embeddings.</summary>
    public static Predictions Of(ZeroShotClassifier classifier, IReadOnlyList<float[]> embeddings)
    {
        var (classes, probabilities) = (new int[embeddings.Count], new float[embeddings.Count]);
        ParallelLoop.Run(embeddings.Count, i =>
        {
            var scores = new float[classifier.ClassNames.Length];
            classifier.Score(embeddings[i], scores);
            classes[i] = scores.AsSpan().IndexOf(scores.Max());
            probabilities[i] = scores[classes[i]];
        });
        return new(classes, probabilities);
    }
}
