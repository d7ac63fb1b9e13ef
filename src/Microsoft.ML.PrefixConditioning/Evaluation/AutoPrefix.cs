using System.Numerics.Tensors;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Chooses a test-time prefix from images without labels. N images, C classes, D embedding size.</summary>
internal sealed class AutoPrefix
{
    internal const int Views = 4;        // per image, for Consistency
    private const int BlendSteps = 4;    // shares of a blend are quarters
    private const double LargestShare = 1.25;   // of the distance ratio; above 1 leads away from the other type
    private static readonly PrefixCriterion[] SummaryCriteria = [PrefixCriterion.TrainingSimilarity, PrefixCriterion.DistanceRatio];

    private readonly TrainedModel _model;
    private readonly PrefixedClasses _classes;
    private readonly EncodedImages _images;
    private readonly PrefixCriterion _criterion;
    private readonly float _scale;

    private AutoPrefix(
        TrainedModel model, PrefixedClasses classes, EncodedImages images, ZeroShotClassificationOptions options, PrefixCriterion criterion)
    {
        (_model, _classes, _images, _criterion) = (model, classes, images, criterion);
        _scale = (float)(options.LogitScale ?? model.LogitScale);
    }

    /// <summary>Checks that the model has what the criterion needs.</summary>
    /// <exception cref="ArgumentException">It has not.</exception>
    public static void Check(TrainedModel model, PrefixCriterion criterion)
    {
        if (SummaryCriteria.Contains(criterion) && model.Summaries is null)
            throw new ArgumentException(
                $"{nameof(PrefixCriterion)}.{criterion} needs summaries of the training images' " +
                "embeddings, which this model has not: an older version of the package saved it, or it comes from published weights. " +
                "Choose another criterion, or train the model with this version.");
    }

    /// <summary>Scores all candidates.</summary>
    /// <returns>The best first; of equals the one that stands earlier among the candidates.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">The view has no image that can be read.</exception>
    public static IReadOnlyList<PrefixScore> Rank(
        TrainedModel model, IDataView view, ZeroShotClassificationOptions options, PrefixCriterion criterion)
    {
        Check(model, criterion);
        var candidates = Candidates(model.Settings.DatasetTypes, criterion);
        var classes = new PrefixedClasses(model, options);
        var images = EncodedImages.Read(model, view, new ImageRequest
        {
            ImageColumnName = options.ImageColumnName ?? model.Settings.ImageColumnName,
            ImagePrefixes = [.. candidates.Append(All(model.Settings.DatasetTypes)).Select(classes.ImagePrefix).Distinct()],
            BadRows = model.Settings.BadRows,
            MaxRows = options.MaxAutoImages,
            Views = criterion == PrefixCriterion.Consistency ? Views : 0,
        });
        if (images.Count == 0)
            throw new InvalidDataException(images.Rows == 0
                ? "The view has no rows, and PrefixSelection.Auto chooses the prefix from images. Pass images of the kind that will be " +
                    "classified, which need no labels, or name a prefix."
                : $"None of the {images.Rows} images that were looked at can be read, so PrefixSelection.Auto has nothing to choose the " +
                    "prefix from. Pass images that can be read, or name a prefix.");
        var choice = new AutoPrefix(model, classes, images, options, criterion);
        // The sort keeps the order of equals.
        var scores = criterion == PrefixCriterion.DistanceRatio ? choice.DistanceRatios(candidates)
            : candidates.Select(c => new PrefixScore(c, choice.Score(c)));
        return [.. scores.OrderByDescending(s => s.Score)];
    }

    /// <summary>Every type, the default one first, and its blends with each other one. No prefix at all is none of them: the model was
    /// never trained so.</summary>
    internal static IReadOnlyList<PrefixSelection> Candidates(IReadOnlyList<DatasetType> types, PrefixCriterion criterion)
    {
        var first = PrefixResolution.Default(types);
        var others = types.Select(t => PrefixSelection.For(t.Name)).Where(type => !type.Equals(first)).ToArray();
        // Agreement takes no blends; the distance ratio makes its own.
        var blends = criterion is PrefixCriterion.Agreement or PrefixCriterion.DistanceRatio ? [] :
            from other in others
            from step in Enumerable.Range(1, BlendSteps - 1).Reverse()
            select Line(first, other, (double)step / BlendSteps);
        return [first, .. others, .. blends];
    }

    private static PrefixSelection All(IReadOnlyList<DatasetType> types) => PrefixSelection.Blend([.. types.Select(t => (t.Name, 1.0))]);

    private double Score(PrefixSelection candidate) => _criterion switch
    {
        PrefixCriterion.MutualInformation => PrefixCriteria.MutualInformation(_images.Count, _classes.Count, Logits(candidate)),
        PrefixCriterion.CorrectedConfidence => PrefixCriteria.CorrectedConfidence(
            _images.Count, _classes.Count, Logits(candidate), TrainingMean(candidate)),
        PrefixCriterion.Agreement => PrefixCriteria.Agreement(Labels(candidate), Labels(All(_model.Settings.DatasetTypes))),
        PrefixCriterion.TrainingSimilarity => -Distance(candidate),
        _ => Enumerable.Range(1, Views).Average(view => PrefixCriteria.Agreement(Labels(candidate, view), Labels(candidate))),
    };

    /// <summary>Two types and their blends: the caption type whose training images are nearest, and the nearest of the others.</summary>
    /// <param name="types">Every type, the default one first.</param>
    private IEnumerable<PrefixScore> DistanceRatios(IReadOnlyList<PrefixSelection> types)
    {
        string[] captions = [.. _model.Settings.DatasetTypes.Where(t => t.Texts == TextKind.Caption).Select(t => t.Name)];
        var first = types.Where(t => captions.Contains(t.Weights[0].DatasetType)).MinBy(Distance) ?? types[0];
        if (types.Where(t => !t.Equals(first)).MinBy(Distance) is not { } other) return [new PrefixScore(first, 0)];
        // In hundredths, as reports show it.
        var best = Math.Round(PrefixCriteria.FirstShare(Distance(first), Distance(other), LargestShare), 2);
        double[] shares = [best, 1, 0, LargestShare, .. Enumerable.Range(1, BlendSteps - 1).Select(step => (double)step / BlendSteps)];
        return shares.Distinct().Select(share => new PrefixScore(Line(first, other, share), 0 - Math.Abs(share - best)));   // no -0 in reports
    }

    /// <summary>A point on the line between two types' prefixes: the first at 1, the other at 0.</summary>
    private static PrefixSelection Line(PrefixSelection first, PrefixSelection other, double share) => share switch
    {
        0 => other,
        1 => first,
        _ => PrefixSelection.Blend((first.Weights[0].DatasetType, share), (other.Weights[0].DatasetType, Math.Round(1 - share, 2))),
    };

    /// <summary>The squared Fréchet distance of the images from the training images of a type, or of a mixture of types.</summary>
    private double Distance(PrefixSelection candidate) => EmbeddingSummary.SquaredDistance(
        EmbeddingSummary.Of(_images.Embeddings(_classes.ImagePrefix(candidate))), Mixture(candidate));

    private int[] Labels(PrefixSelection candidate, int view = 0) =>
        PrefixCriteria.Labels(_images.Count, _classes.Count, Logits(candidate, view));

    /// <summary>Fills a row's logits, [C].</summary>
    private Action<int, Span<float>> Logits(PrefixSelection candidate, int view = 0)
    {
        var classes = _classes.Embeddings(candidate);
        var images = _images.Embeddings(_classes.ImagePrefix(candidate), view);
        return (row, logits) =>
        {
            for (var c = 0; c < logits.Length; c++)
                logits[c] = _scale * TensorPrimitives.Dot<float>(images[row], classes.AsSpan(c * images[row].Length, images[row].Length));
        };
    }

    /// <summary>[C], the mean logits over the training images of all types alike: a mean of logits is the mean embedding's logit.</summary>
    private double[] TrainingMean(PrefixSelection candidate)
    {
        if (_model.Summaries is null) return [];
        var (mean, classes) = (Mixture(All(_model.Settings.DatasetTypes)).Mean, _classes.Embeddings(candidate));
        double Dot(int c) => mean.Select((m, d) => m * classes[(c * mean.Length) + d]).Sum();
        return [.. Enumerable.Range(0, _classes.Count).Select(c => _scale * Dot(c))];
    }

    private EmbeddingSummary Mixture(PrefixSelection prefix) => EmbeddingSummary.Mix(
        [.. PrefixResolution.Resolve(prefix, _model.Settings.DatasetTypes).Select(p => (_model.Summaries![p.Type], p.Weight))]);
}
