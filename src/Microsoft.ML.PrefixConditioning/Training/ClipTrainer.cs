using System.Globalization;
using Microsoft.ML.Runtime;
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
    /// <exception cref="IOException">The checkpoint folder is in use, or cannot be read or written to.</exception>
    /// <exception cref="OperationCanceledException">The options' token was canceled.</exception>
    public static TrainingHistory Run(
        IHost host, ClipModel model, ClipTokenizer tokenizer, TaggedRows rows, TrainingSetup setup, ulong seed) =>
        new ClipTrainer(model, tokenizer, rows, setup).Run(host, seed);

    private TrainingHistory Run(IHost host, ulong seed)
    {
        var validationPrefix = PrefixResolution.Resolve(Options.ValidationPrefix, _rows.Types);
        var sampler = CreateSampler(seed);
        var totalSteps = TotalSteps(sampler.StepsPerEpoch);
        using var log = new TrainingLog(host, _setup, sampler.StepsPerEpoch, totalSteps);
        if (Ranks.Count > 1) Ranks.Compare(
            "All ranks must train the same run, but these differ", RunFingerprint.Facts(_rows, _tokenizer, _setup, seed, _model.Weights));
        using var folder = Ranks.IsFirst && Options.Checkpoints.Folder is { } path
            ? new CheckpointFolder(path, Options.Checkpoints.Keep) : null;
        var fingerprint = folder is null ? "" : RunFingerprint.Of(_rows, _tokenizer, _setup, host);
        using var saved = folder?.Newest(fingerprint, totalSteps, log.Info, log.Warning, Options.CancellationToken);
        var found = Ranks.FromFirst(saved is null ? ((ulong Seed, int Step)?)null : (saved.Seed, saved.Step));
        if (found is { } earlier) (seed, sampler) = (earlier.Seed, CreateSampler(earlier.Seed));

        var images = new TrainingImages(_rows, _setup, seed);
        var texts = new TrainingTexts(_rows, _tokenizer, _setup.Model.Architecture.ContextLength, Options.PromptTemplates, seed);
        using var optimizer = new ClipOptimizer(
            TrainingPlan.Apply(_model, Options.FineTuning), Options.Optimizer,
            name => TrainingPlan.RateFactor(_model.PlaceOf(name), _setup.Model.Architecture, Options.FineTuning),
            Options.UseTensorOperations);
        using var step = new ContrastiveStep(_model, optimizer, Options, seed, Ranks);
        using var milestones = new Milestones(
            _model, _setup, log, folder, stream => Checkpoint.Write(stream, fingerprint, seed, _model, optimizer, log, images));
        milestones.ReadValidationSet(_tokenizer, validationPrefix);
        if (found is { } start)
        {
            saved?.Restore(_model, optimizer, log, images);
            saved?.Dispose();   // three times as large as the model
            Checkpoint.Share(Ranks, _model, optimizer, log, images);
            log.Info($"Going on from step {start.Step} of {totalSteps}, saved in '{Options.Checkpoints.Folder}'.");
        }
        log.Start(string.Create(CultureInfo.InvariantCulture,
            $"Training {_model.ParameterCount:N0} parameters on {_rows.Count:N0} rows ({_rows.DescribeTypes()}), {totalSteps:N0} steps " +
                $"of {_setup.BatchSize} rows, seed {seed}, on {_model.Device}."));
        if (_rows.LeftOutBySources is { } before)
            log.Skipped(false, $"{before.Count} rows were left out by their sources. The first fault: {before.FirstFault}");
        if (_rows.BadCount > 0)
            log.Skipped(true, $"{_rows.BadCount} of {_rows.TotalCount} rows cannot be used. The first fault: {_rows.FirstFault}");

        Ranks.Check();   // from here on a cancellation is that of a step: all ranks save
        using (var loader = new BatchLoader(
            sampler, images, texts, _rows, log.Steps.Count, totalSteps, Options.CancellationToken, Ranks))
        {
            try
            {
                if (found is not null) milestones.Resume(totalSteps);
                RunSteps(loader, step, milestones, log, totalSteps, sampler.StepsPerEpoch);
            }
            catch (OperationCanceledException e)
            {
                Ranks.Tell(e);
                milestones.Save();
                var resume = Ranks.FromFirst(folder is null ? "Nothing is saved, because Checkpoints.Folder is not set."
                    : $"The run is saved in '{Options.Checkpoints.Folder}'; Fit with the same options and data resumes it.");
                throw new OperationCanceledException(
                    $"Training was canceled after step {log.Steps.Count} of {totalSteps}. {resume}", e, e.CancellationToken);
            }
        }
        milestones.Finish();
        _model.Freeze();
        CheckWeights();
        if (images.BadCount > 0)
            log.Skipped(true, $"{images.BadCount} of {_rows.TotalCount} rows have images that cannot be read. The first fault: " +
                images.FirstFault());
        log.Info(images.CacheSummary);
        log.Info("Training has ended; a sample of the images of each dataset type is summarized.");
        return log.ToHistory(_rows.BadCount + images.BadCount);
    }

    private void RunSteps(
        BatchLoader loader, ContrastiveStep step, Milestones milestones, TrainingLog log, int totalSteps, int stepsPerEpoch)
    {
        var warmup = Options.Optimizer.WarmupSteps ?? Math.Min(totalSteps / 10, MaxDefaultWarmup);
        var firstJudged = warmup + (long)Math.Max(LossAdvice.PatienceSteps, stepsPerEpoch);
        while (!log.IsComplete)
        {
            Options.CancellationToken.ThrowIfCancellationRequested();
            var batch = loader.Next();
            var rate = LearningRate.At(Options.Optimizer.Schedule, log.Steps.Count, Options.LearningRate, warmup, totalSteps);
            var loss = step.Run(batch, rate);
            loader.Release(batch);
            log.Steps.Add(new TrainingStep((float)loss, (float)rate));
            milestones.Conclude(loss, rate);
            if (LossAdvice.AtChance(Options, log.Steps, firstJudged, _setup.BatchSize) is not { } warning) continue;
            firstJudged = long.MaxValue;   // once
            log.Warning(warning);
        }
    }

    /// <summary>The last step's weights: no further loss would tell that they are no numbers.</summary>
    private void CheckWeights()
    {
        using var scope = NewDisposeScope();
        if (_model.Weights.FirstOrDefault(w => !w.Value.IsFinite()).Key is { } name)
            throw LossAdvice.Diverged(Options, $"After the last step the weight '{name}' is not finite; the model is of no use.");
    }

    private BatchSampler CreateSampler(ulong seed)
    {
        var weights = Options.DatasetTypeWeights is { } given ? _rows.Types.Select((t, i) => Weight(given, t.Name)).ToArray() : null;
        var windows = Options.ShuffleWindow is { } files ? new ShuffleWindows(_rows.Images.Files(), files) : null;
        return new BatchSampler(_rows.DatasetTypes, _rows.Images.Numbers, Options.BatchComposition, weights, _setup.BatchSize, seed,
            _rows.Weights, windows);
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
