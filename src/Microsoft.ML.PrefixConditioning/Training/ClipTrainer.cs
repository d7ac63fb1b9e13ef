using System.Globalization;
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
    private readonly TrainingSetup _setup;

    private ClipTrainer(ClipModel model, ClipTokenizer tokenizer, TaggedRows rows, TrainingSetup setup) =>
        (_model, _tokenizer, _rows, _setup) = (model, tokenizer, rows, setup);

    private PrefixClipOptions Options => _setup.Options;
    private Ranks Ranks => _setup.Ranks;

    /// <summary>Trains the model in place.</summary>
    /// <returns>What happened, step by step.</returns>
    /// <exception cref="InvalidDataException">An image cannot be read and the policy does not allow it, or a checkpoint does not
    /// fit.</exception>
    /// <exception cref="InvalidOperationException">The loss is no longer a number.</exception>
    /// <exception cref="OperationCanceledException">The options' token was canceled.</exception>
    public static TrainingHistory Run(
        IHost host, ClipModel model, ClipTokenizer tokenizer, TaggedRows rows, TrainingSetup setup, ulong seed) =>
        new ClipTrainer(model, tokenizer, rows, setup).Run(host, seed);

    private TrainingHistory Run(IHost host, ulong seed)
    {
        var validationPrefix = PrefixResolution.Resolve(Options.ValidationPrefix, _rows.Types);
        var sampler = CreateSampler(seed);
        var totalSteps = TotalSteps(sampler.StepsPerEpoch);
        if (Ranks.Count > 1) Ranks.Compare(
            "All ranks must train the same run, but these differ", RunFingerprint.Facts(_rows, _tokenizer, _setup, seed, _model.Weights));
        var checkpoint = Ranks.IsFirst && Options.Checkpoints.Folder is { } folder
            ? new Checkpoint(folder, RunFingerprint.Of(_rows, _tokenizer, _setup)) : null;
        var found = Ranks.FromFirst(checkpoint?.Find(totalSteps));
        if (found is { } earlier) (seed, sampler) = (earlier.Seed, CreateSampler(earlier.Seed));
        var validation = Ranks.IsFirst && Options.ValidationSet is { } view ? ValidationSet.Read(view, _setup) : null;

        var warmup = Options.Optimizer.WarmupSteps ?? Math.Min(totalSteps / 10, MaxDefaultWarmup);
        var images = new TrainingImages(_rows, _setup, seed);
        var texts = new TrainingTexts(_rows, _tokenizer, _setup.Model.Architecture.ContextLength, Options.PromptTemplates, seed);
        using var optimizer = new ClipOptimizer(
            TrainingPlan.Apply(_model, Options.FineTuning), Options.Optimizer,
            name => TrainingPlan.RateFactor(_model.PlaceOf(name), _setup.Model.Architecture, Options.FineTuning),
            Options.UseTensorOperations);
        using var step = new ContrastiveStep(_model, optimizer, Options, seed, Ranks);
        using var log = new TrainingLog(host, _setup, sampler.StepsPerEpoch, totalSteps);
        if (found is { } start)
        {
            checkpoint?.Restore(_model, optimizer, log, images, start.Step);
            Checkpoint.Share(Ranks, _model, optimizer, log, images);
            log.Info($"Going on from step {start.Step} of {totalSteps}, saved in '{Options.Checkpoints.Folder}'.");
        }
        log.Info(string.Create(CultureInfo.InvariantCulture,
            $"Training {_model.ParameterCount:N0} parameters on {_rows.Count:N0} rows ({_rows.DescribeTypes()}), {totalSteps:N0} steps " +
                $"of {_setup.BatchSize} rows, seed {seed}, on {_model.Device}."));

        if (_rows.BadCount > 0)
            log.Warning($"{_rows.BadCount} of {_rows.TotalCount} rows were left out, the first for this reason: {_rows.FirstFault}");

        void Save()
        {
            if (Ranks.Count > 1) Ranks.Compare(
                $"After step {log.Steps.Count} the weights are no longer the same on all ranks; resume from the last checkpoint",
                new Dictionary<string, string> { ["the weights"] = RunFingerprint.Of(_model.Weights) });
            checkpoint?.Write(_model, optimizer, log, images, seed);
        }
        Ranks.Check();   // from here on a cancellation is that of a step: all ranks save
        using (var loader = new BatchLoader(
            sampler, images, texts, _rows, log.Steps.Count, totalSteps, Options.CancellationToken, Ranks))
        {
            try
            {
                while (log.Steps.Count < totalSteps)
                {
                    Options.CancellationToken.ThrowIfCancellationRequested();
                    var batch = loader.Next();
                    var rate = LearningRate.At(Options.Optimizer.Schedule, log.Steps.Count, Options.LearningRate, warmup, totalSteps);
                    var loss = step.Run(batch, rate);
                    loader.Release(batch);
                    var endOfEpoch = (log.Steps.Count + 1) % sampler.StepsPerEpoch == 0;
                    log.Add(loss, rate, endOfEpoch ? Ranks.FromFirst(validation?.Accuracy(_model, _tokenizer, validationPrefix)) : null);
                    var isDue = Options.Checkpoints.Steps is { } every ? log.Steps.Count % every == 0 : endOfEpoch;
                    if (isDue || log.Steps.Count == totalSteps) Save();
                }
            }
            catch (OperationCanceledException e)
            {
                Ranks.Tell(e);
                Save();
                Ranks.Check();
                Options.CancellationToken.ThrowIfCancellationRequested();   // with the caller's token in the exception
                throw;
            }
        }
        _model.Freeze();
        CheckWeights();
        if (images.BadCount > 0)
            log.Warning($"{images.BadCount} of {_rows.TotalCount} rows were left out because their images cannot be read. " +
                $"{images.FirstFault()}");
        return log.ToHistory(_rows.BadCount + images.BadCount);
    }

    /// <summary>The last step's weights: no further loss would tell that they are no numbers.</summary>
    private void CheckWeights()
    {
        using var scope = NewDisposeScope();
        if (_model.Weights.FirstOrDefault(w => !w.Value.isfinite().all().ToBoolean()).Key is { } name)
            throw ContrastiveStep.Diverged(Options, $"After the last step the weight '{name}' is not finite; the model is of no use.");
    }

    private BatchSampler CreateSampler(ulong seed)
    {
        var weights = Options.DatasetTypeWeights is { } given ? _rows.Types.Select((t, i) => Weight(given, t.Name)).ToArray() : null;
        return new BatchSampler(_rows.DatasetTypes, _rows.Images.Numbers, Options.BatchComposition, weights, _setup.BatchSize, seed);
    }

    private int TotalSteps(int stepsPerEpoch)
    {
        var steps = (long)stepsPerEpoch * Options.Epochs;
        return steps <= int.MaxValue ? (int)steps : throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
            $"{nameof(PrefixClipOptions.Epochs)} is {Options.Epochs}, which makes {steps} steps; at most {int.MaxValue} are possible. " +
                $"Lower it, or raise {nameof(PrefixClipOptions.BatchSize)}."));
    }

    private static double Weight(IReadOnlyDictionary<string, double> weights, string type) =>
        weights.TryGetValue(type, out var weight) ? weight
        : throw new ArgumentException($"{nameof(PrefixClipOptions.DatasetTypeWeights)} has no weight for the dataset type '{type}', " +
            "which has rows. Give every type with rows a weight, or none.");
}
