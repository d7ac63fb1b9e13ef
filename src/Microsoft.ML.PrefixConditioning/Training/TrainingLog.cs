using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Records the steps of a run and reports them: to ML.NET's progress channel and log, and to the options' callback.</summary>
internal sealed class TrainingLog : IDisposable
{
    private static readonly ProgressHeader Header = new(
        ["Loss", "Learning rate", "Images/s", "Seconds left", "Validation accuracy"], ["steps", "epochs"]);

    private readonly IChannel _channel;
    private readonly List<string> _skips = [];
    private readonly IProgressChannel _progressChannel;
    private readonly TrainingSetup _setup;
    private readonly int _stepsPerEpoch, _totalSteps;
    private readonly Stopwatch _sinceLog = Stopwatch.StartNew();
    private readonly Queue<long> _stepEnds = new();     // timestamps of the last steps
    private TrainingProgress? _last;

    public TrainingLog(IHost host, TrainingSetup setup, int stepsPerEpoch, int totalSteps)
    {
        (_setup, _stepsPerEpoch, _totalSteps) = (setup, stepsPerEpoch, totalSteps);
        _channel = host.Start("Training");
        _progressChannel = host.StartProgressChannel("Training");
        _progressChannel.SetHeader(Header, Fill);
    }

    private bool IsReporting => _setup.Ranks.IsFirst;

    /// <summary>Every step so far.</summary>
    public List<TrainingStep> Steps { get; } = [];

    /// <summary>Every validation so far.</summary>
    public List<ValidationAccuracy> Validations { get; } = [];

    /// <summary>The best validation so far, the first of equal ones; null before the first.</summary>
    public ValidationAccuracy? Best => Validations.Count == 0 ? null : Validations.MaxBy(v => v.Accuracy);

    /// <summary>The step after which validation was best.</summary>
    public int? BestStep => Best?.Epoch * _stepsPerEpoch;

    /// <summary>Whether the last step ended an epoch.</summary>
    public bool IsEndOfEpoch => Steps.Count > 0 && Steps.Count % _stepsPerEpoch == 0;

    /// <summary>Whether the epoch that the last step ended was validated.</summary>
    public bool IsValidated => Validations.Count > 0 && Validations[^1].Epoch * _stepsPerEpoch == Steps.Count;

    /// <summary>Whether all steps are done, or early stopping ends the run.</summary>
    public bool IsComplete => Steps.Count == _totalSteps
        || (_setup.Options.Patience is { } patience && Best is { } best && Validations[^1].Epoch - best.Epoch >= patience);

    /// <summary>Writes the line that steps follow, and starts their clock.</summary>
    public void Start(string message)
    {
        Info(message);
        _stepEnds.Enqueue(Stopwatch.GetTimestamp());
    }

    /// <summary>Writes how far a long phase between steps is, as often as steps are written.</summary>
    /// <param name="what">What is done, such as "Validating: 3 of 5 images".</param>
    public void Phase(Func<string> what)
    {
        if (_sinceLog.Elapsed < LongPhase.LogInterval) return;
        _sinceLog.Restart();
        Info(what());
    }

    /// <summary>Writes one line to ML.NET's log, on rank 0.</summary>
    public void Info(string message)
    {
        if (IsReporting) _channel.Info(MessageSensitivity.None, "{0}", message);
    }

    /// <summary>Writes one warning to ML.NET's log, on rank 0.</summary>
    public void Warning(string message)
    {
        if (IsReporting) _channel.Warning(MessageSensitivity.None, "{0}", message);
    }

    /// <summary>Rank 0 reports the last step and how it was validated; all ranks record the accuracy.</summary>
    /// <param name="loss">Loss of the step's batch.</param>
    /// <param name="learningRate">Learning rate of the step.</param>
    /// <param name="accuracy">Validation accuracy, where one was taken after this step.</param>
    public void Report(double loss, double learningRate, double? accuracy)
    {
        var step = Steps.Count;
        var epoch = (step - 1) / _stepsPerEpoch + 1;
        if (accuracy is { } value) Validations.Add(new ValidationAccuracy(epoch, value));
        if (!IsReporting) return;
        var rate = StepsPerSecond();
        var progress = new TrainingProgress(step, _totalSteps, epoch, _setup.Options.Epochs, loss, learningRate,
            rate * _setup.BatchSize, TimeSpan.FromSeconds(rate > 0 ? Math.Min((_totalSteps - step) / rate, int.MaxValue) : 0), accuracy);
        _last = progress;
        _setup.Options.Progress?.Report(progress);
        if (IsEndOfEpoch)
            _progressChannel.Checkpoint(loss, learningRate, progress.ImagesPerSecond, progress.TimeLeft.TotalSeconds, accuracy, step,
                epoch);
        if (!IsEndOfEpoch && _sinceLog.Elapsed < LongPhase.LogInterval) return;
        _sinceLog.Restart();
        Info(string.Create(CultureInfo.InvariantCulture,
            $"Step {step}/{_totalSteps}, epoch {epoch}/{_setup.Options.Epochs}: loss {loss:0.0000}, " +
            $"learning rate {learningRate:0.00e+00}, {progress.ImagesPerSecond:0} images/s, " +
            $"{(int)progress.TimeLeft.TotalHours}:{progress.TimeLeft:mm\\:ss} left" +
            $"{(accuracy is null ? "" : string.Create(CultureInfo.InvariantCulture, $", validation accuracy {accuracy:0.0%}"))}"));
    }

    /// <summary>The history that is saved with the model.</summary>
    public TrainingHistory ToHistory(int skippedRows) => new([.. Steps], [.. Validations], skippedRows, [.. _skips]);

    /// <summary>Notes rows that were left out, for the history.</summary>
    /// <param name="isNew">Whether nobody logged it before.</param>
    /// <param name="what">How many and why, in a sentence or two.</param>
    public void Skipped(bool isNew, string what)
    {
        _skips.Add(what);
        if (isNew) Warning(what);
    }

    private double StepsPerSecond()
    {
        const int Window = 20; // steps: long enough to smooth, short enough to follow a change
        _stepEnds.Enqueue(Stopwatch.GetTimestamp());
        if (_stepEnds.Count > Window + 1) _stepEnds.Dequeue();
        var seconds = Stopwatch.GetElapsedTime(_stepEnds.Peek()).TotalSeconds;
        return seconds > 0 ? (_stepEnds.Count - 1) / seconds : 0;
    }

    private void Fill(IProgressEntry entry)
    {
        if (_last is not { } now) return;
        entry.SetProgress(0, now.Step, now.TotalSteps);
        entry.SetProgress(1, now.Epoch, now.TotalEpochs);
        entry.SetMetric(0, now.Loss);
        entry.SetMetric(1, now.LearningRate);
        entry.SetMetric(2, now.ImagesPerSecond);
        entry.SetMetric(3, now.TimeLeft.TotalSeconds);
        if (now.ValidationAccuracy is { } accuracy) entry.SetMetric(4, accuracy);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _progressChannel.Dispose();
        _channel.Dispose();
    }
}
