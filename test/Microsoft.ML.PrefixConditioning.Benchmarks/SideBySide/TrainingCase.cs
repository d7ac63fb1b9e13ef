using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>One model with a batch to train it on, again and again.</summary>
internal sealed class TrainingCase : IDisposable
{
    /// <summary>CLIP's own vocabulary size, so that the embedding tables have the size that users have.</summary>
    public const int VocabularySize = 49408;

    public const double LearningRate = 1e-4;

    private readonly ClipModel _model;
    private readonly ClipOptimizer _optimizer;
    private readonly ContrastiveStep _step;

    /// <param name="options">Sizes, batch and path; prefixes off for the same work as open_clip.</param>
    /// <param name="texts">Token ids of every row, from start to end token.</param>
    /// <param name="ranks">The ranks that share the batch; null for this process alone.</param>
    public TrainingCase(PrefixClipOptions options, IReadOnlyList<int[]> texts, Ranks? ranks = null)
    {
        Options = options;
        var shape = new ClipModelShape(options.Architecture!, VocabularySize, 2, options.PrefixLength, options.ImagePrefixLength);
        _model = ClipModel.Create(shape, CPU, 1, options.UseTensorOperations,
            options.Precision == Precision.BFloat16 ? ScalarType.BFloat16 : ScalarType.Float32);
        _optimizer = new ClipOptimizer(_model.Weights, options.Optimizer, useTensorOperations: options.UseTensorOperations);
        _step = new ContrastiveStep(_model, _optimizer, options, seed: 0, ranks);
        Batch = CreateBatch(options, texts, seed: 1);
    }

    public PrefixClipOptions Options { get; }

    public ClipModel Model => _model;

    public TrainingBatch Batch { get; }

    /// <summary>One step; seconds.</summary>
    public double Step() => Pairs.Time(() => Step(Batch));

    /// <summary>One step; its loss.</summary>
    public double Step(TrainingBatch batch) => _step.Run(batch, LearningRate);

    /// <summary>The gradients of one batch, without an update; its loss.</summary>
    public double Backward() => _step.Backward(Batch);

    /// <summary>Random pixels, and the distinct texts.</summary>
    public static TrainingBatch CreateBatch(PrefixClipOptions options, IReadOnlyList<int[]> texts, int seed)
    {
        var random = new Random(seed);
        var pixels = new float[(long)options.BatchSize!.Value * 3 * options.Architecture!.ImageSize * options.Architecture!.ImageSize];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = (float)(random.NextDouble() * 4 - 2);
        var distinct = new List<int[]>();
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        var textOfRow = new long[options.BatchSize!.Value];
        for (var row = 0; row < options.BatchSize!.Value; row++)
        {
            var key = string.Join(' ', texts[row]);
            if (!places.TryGetValue(key, out var place))
            {
                places[key] = place = distinct.Count;
                distinct.Add(texts[row]);
            }
            textOfRow[row] = place;
        }
        var tokens = TokenBatch.Pad(distinct);
        return new TrainingBatch([.. Enumerable.Range(0, options.BatchSize!.Value)], pixels,
            new BatchTexts(tokens, new long[distinct.Count], textOfRow),
            new long[options.BatchSize!.Value], new long[options.BatchSize!.Value]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _optimizer.Dispose();
        _model.Dispose();
    }
}
