using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The training loop: batch, loss, step, progress, validation, checkpoint, cancellation.</summary>
/// <remarks>N rows of a batch, U distinct texts, D embedding size, S image size.</remarks>
internal sealed class ClipTrainer
{
    private const int MaxDefaultWarmup = 10_000; // open_clip's own default, for long runs

    private readonly ClipModel _model;
    private readonly ClipTokenizer _tokenizer;
    private readonly TaggedRows _rows;
    private readonly PrefixClipOptions _options;

    private ClipTrainer(ClipModel model, ClipTokenizer tokenizer, TaggedRows rows, PrefixClipOptions options) =>
        (_model, _tokenizer, _rows, _options) = (model, tokenizer, rows, options);

    /// <summary>Trains the model in place.</summary>
    /// <returns>What happened, step by step.</returns>
    /// <exception cref="InvalidDataException">An image cannot be read and the policy does not allow it, or a checkpoint does not fit.</exception>
    /// <exception cref="InvalidOperationException">The loss is no longer a number.</exception>
    /// <exception cref="OperationCanceledException">The options' token was cancelled.</exception>
    public static TrainingHistory Run(IHost host, ClipModel model, ClipTokenizer tokenizer, TaggedRows rows, PrefixClipOptions options, ulong seed) =>
        new ClipTrainer(model, tokenizer, rows, options).Run(host, seed);

    private TrainingHistory Run(IHost host, ulong seed)
    {
        var validationPrefix = PrefixResolution.Resolve(_options.ValidationPrefix, _rows.Types);
        var sampler = CreateSampler(seed);
        var totalSteps = TotalSteps(sampler.StepsPerEpoch);
        var checkpoint = _options.CheckpointFolder is { } folder ? new Checkpoint(folder, RunFingerprint.Of(_rows, _tokenizer, _options)) : null;
        var found = checkpoint?.Find(totalSteps);
        if (found is { } earlier) (seed, sampler) = (earlier.Seed, CreateSampler(earlier.Seed));
        var validation = _options.ValidationSet is { } view ? ValidationSet.Read(view, _options) : null;

        var warmup = _options.WarmupSteps ?? Math.Min(totalSteps / 10, MaxDefaultWarmup);
        var images = new TrainingImages(_rows, _options, seed);
        var texts = new TrainingTexts(_rows, _tokenizer, _options.Architecture.ContextLength, _options.PromptTemplates, seed);
        using var optimizer = new ClipOptimizer(
            TrainingPlan.Apply(_model, _options), _options.Beta1, _options.Beta2, _options.Epsilon, _options.WeightDecay, _options.GradientClipNorm,
            name => TrainingPlan.RateFactor(name, _options), _options.Reference);
        var step = new ContrastiveStep(_model, optimizer, _options, seed);
        using var log = new TrainingLog(host, _options, sampler.StepsPerEpoch, totalSteps);
        if (found is { } start)
        {
            checkpoint!.Restore(_model, optimizer, log, images, start.Step);
            log.Info($"Going on from step {start.Step} of {totalSteps}, saved in '{_options.CheckpointFolder}'.");
        }
        log.Info(FormattableString.Invariant(
            $"Training {_model.ParameterCount:N0} parameters on {_rows.Count:N0} rows ({_rows.DescribeTypes()}), {totalSteps:N0} steps of {_options.RowsPerStep} rows, seed {seed}, on {_model.Device}."));

        if (_rows.BadCount > 0)
            log.Warning($"{_rows.BadCount} of {_rows.TotalCount} rows were left out, the first for this reason: {_rows.FirstFault}");

        void Save() => checkpoint?.Write(_model, optimizer, log, images, seed);
        using (var loader = new BatchLoader(sampler, images, texts, _rows, log.Steps.Count, totalSteps, _options.CancellationToken))
        {
            try
            {
                while (log.Steps.Count < totalSteps)
                {
                    _options.CancellationToken.ThrowIfCancellationRequested();
                    var batch = loader.Next();
                    var rate = LearningRate.At(_options.LearningRateSchedule, log.Steps.Count, _options.LearningRate, warmup, totalSteps);
                    var loss = step.Run(batch, rate);
                    loader.Release(batch);
                    var endOfEpoch = (log.Steps.Count + 1) % sampler.StepsPerEpoch == 0;
                    log.Add(loss, rate, endOfEpoch ? validation?.Accuracy(_model, _tokenizer, validationPrefix) : null);
                    var isDue = _options.CheckpointSteps is { } every ? log.Steps.Count % every == 0 : endOfEpoch;
                    if (isDue || log.Steps.Count == totalSteps) Save();
                }
            }
            catch (OperationCanceledException)
            {
                Save();
                _options.CancellationToken.ThrowIfCancellationRequested();   // with the caller's token in the exception
                throw;
            }
        }
        _model.EndTraining();
        CheckWeights();
        if (images.BadCount > 0)
            log.Warning($"{images.BadCount} of {_rows.TotalCount} rows were left out because their images cannot be read. {images.FirstFault()}");
        return log.ToHistory(_rows.BadCount + images.BadCount);
    }

    /// <summary>The last step's weights: no further loss would tell that they are no numbers.</summary>
    private void CheckWeights()
    {
        using var scope = NewDisposeScope();
        if (_model.Weights.FirstOrDefault(w => !w.Value.isfinite().all().ToBoolean()).Key is { } name)
            throw ContrastiveStep.Diverged(_options, $"After the last step the weight '{name}' is not finite; the model is of no use.");
    }

    private BatchSampler CreateSampler(ulong seed)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var imageOfRow = new int[_rows.Count];
        for (var row = 0; row < _rows.Count; row++)
        {
            // Only images named by a path can be recognized as the same; others count as different.
            var name = _rows.Images[row].Locator ?? FormattableString.Invariant($"\0{row}");
            if (!numbers.TryGetValue(name, out var number)) numbers.Add(name, number = numbers.Count);
            imageOfRow[row] = number;
        }
        var weights = _options.DatasetTypeWeights is { } given ? _rows.Types.Select((t, i) => Weight(given, t.Name)).ToArray() : null;
        return new BatchSampler(_rows.DatasetTypes, imageOfRow, _options.BatchComposition, weights, _options.RowsPerStep, seed);
    }

    private int TotalSteps(int stepsPerEpoch)
    {
        var steps = (long)stepsPerEpoch * _options.Epochs;
        return steps <= int.MaxValue ? (int)steps : throw new ArgumentException(FormattableString.Invariant(
            $"{nameof(PrefixClipOptions.Epochs)} is {_options.Epochs}, which makes {steps} steps; at most {int.MaxValue} are possible. Lower it, or raise {nameof(PrefixClipOptions.BatchSize)}."));
    }

    private static double Weight(IReadOnlyDictionary<string, double> weights, string type) => weights.TryGetValue(type, out var weight) ? weight
        : throw new ArgumentException($"{nameof(PrefixClipOptions.DatasetTypeWeights)} has no weight for the dataset type '{type}', which has rows. Give every type with rows a weight, or none.");
}
