using System.Diagnostics;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What happens between the steps of a run: validation, the report, the best weights, checkpoints.</summary>
/// <remarks>All ranks decide alike: by what they share, and by rank 0's clock.</remarks>
/// <param name="model">What is trained.</param>
/// <param name="setup">The run.</param>
/// <param name="log">Its record.</param>
/// <param name="folder">Where rank 0 saves the run; null for nowhere, and on other ranks.</param>
/// <param name="write">Writes a checkpoint.</param>
internal sealed class Milestones(
    ClipModel model, TrainingSetup setup, TrainingLog log, CheckpointFolder? folder, Action<Stream> write) : IDisposable
{
    private readonly Stopwatch _sinceSave = Stopwatch.StartNew();
    private Func<double>? _validate;   // on rank 0
    private BestWeights? _best;        // on rank 0, with early stopping
    private bool _isValidating;

    private Ranks Ranks => setup.Ranks;

    /// <summary>Reads the validation set, if there is one.</summary>
    /// <exception cref="InvalidDataException">It cannot be used.</exception>
    public void ReadValidationSet(ClipTokenizer tokenizer, IReadOnlyList<(int Type, double Weight)> prefix)
    {
        if (Ranks.IsFirst && setup.Options.ValidationSet is { } view)
        {
            var validation = ValidationSet.Read(view, setup, log);
            _validate = () => validation.Accuracy(model, tokenizer, prefix, log);
            if (setup.Options.Patience is not null) _best = new BestWeights(model);
        }
        _isValidating = Ranks.FromFirst(_validate is not null);
    }

    /// <summary>Goes on in a run that was saved: takes its best weights, and validates where it was canceled in a validation.</summary>
    public void Resume(int totalSteps)
    {
        KeepEarlier(totalSteps);
        if (_isValidating && log is { IsEndOfEpoch: true, IsValidated: false }) Conclude(log.Steps[^1].Loss, log.Steps[^1].LearningRate);
    }

    /// <summary>Ends a step: validates, reports and saves where it is time to.</summary>
    public void Conclude(double loss, double rate)
    {
        var accuracy = _isValidating && log.IsEndOfEpoch ? Ranks.FromFirst(_validate?.Invoke()) : null;
        log.Report(loss, rate, accuracy);
        var isBest = accuracy is not null && log.BestStep == log.Steps.Count;
        if (isBest) _best?.Keep();
        var (steps, minutes) = (setup.Options.Checkpoints.Steps, setup.Options.Checkpoints.Minutes);
        var isDue = steps is { } every ? log.Steps.Count % every == 0 : log.IsEndOfEpoch;
        if (isBest || isDue || log.IsComplete || (minutes is { } most && Ranks.FromFirst(_sinceSave.Elapsed.TotalMinutes >= most))) Save();
    }

    /// <summary>Saves the run, if it is saved anywhere.</summary>
    public void Save()
    {
        if (Ranks.Count > 1) Ranks.Compare(
            $"After step {log.Steps.Count} the weights are no longer the same on all ranks; resume from the last checkpoint",
            new Dictionary<string, string> { ["the weights"] = RunFingerprint.Of(model.Weights) });
        folder?.Write(log.Steps.Count, log.BestStep, write);
        _sinceSave.Restart();
    }

    /// <summary>With early stopping, gives the model the weights of the best validation, on all ranks.</summary>
    public void Finish()
    {
        if (!_isValidating || setup.Options.Patience is null) return;
        _best?.Restore();
        Ranks.Check();
        foreach (var (_, weight) in model.Weights) Ranks.Broadcast(weight);
        if (log.Best is { } validated)
            log.Info($"The model has the weights of epoch {validated.Epoch}, the best validation of {log.Validations.Count}.");
    }

    /// <summary>Keeps the best weights of a resumed run's earlier part.</summary>
    private void KeepEarlier(int totalSteps)
    {
        if (_best is null) return;
        if (log.BestStep is { } step && folder is not null && step != log.Steps.Count)
        {
            try
            {
                using var saved = Checkpoint.Read(folder.PathOf(step), totalSteps, setup.Options.CancellationToken);
                _best.Keep(saved.WeightsFor(model));
                return;
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                log.Warning($"The weights of the best validation so far, after step {step}, are lost. Unless a later one is better, the " +
                    $"model gets those of step {log.Steps.Count}. {e.Message}");
            }
        }
        _best.Keep();
    }

    /// <inheritdoc/>
    public void Dispose() => _best?.Dispose();
}
