using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A search: random settings, successive halving.</summary>
/// <remarks>Everything follows from the seed and the accuracies, so an interrupted search goes on from its table.</remarks>
/// <param name="host">For messages and models.</param>
/// <param name="options">What the settings are applied to.</param>
/// <param name="tuning">How to search.</param>
/// <param name="seed">Of the settings.</param>
/// <param name="fit">Trains one model.</param>
internal sealed class TuningRun(
    IHost host, PrefixClipOptions options, TuningOptions tuning, ulong seed, Func<PrefixClipOptions, PrefixClipTransformer> fit)
{
    private const string ModelName = "best.zip";

    private PrefixClipTransformer? _model;   // of the best trial, if this process trained it
    private TuningTrial? _best;

    /// <summary>Number of rounds: as many as leave at least one trial and one epoch in each.</summary>
    private int Rounds => tuning.Halving == 1 ? 1
        : 1 + (int)Math.Floor(Math.Log(Math.Min(tuning.Trials, options.Epochs)) / Math.Log(tuning.Halving) + 1e-9);

    /// <summary>Searches.</summary>
    /// <param name="rowCount">Number of training rows, if it is known; another number is another search.</param>
    /// <exception cref="InvalidOperationException">Training failed in every trial.</exception>
    /// <exception cref="TimeoutException">The time ended before the first trial.</exception>
    public TuningResult Run(long? rowCount)
    {
        using var table = new TuningTable(tuning.Folder, Identity(rowCount));
        using var channel = host.Start("Tuning");
        using var time = CancellationTokenSource.CreateLinkedTokenSource(options.CancellationToken);
        if (tuning.Minutes is { } minutes) time.CancelAfter(TimeSpan.FromMinutes(Math.Min(minutes, int.MaxValue / 60_000)));
        try
        {
            int[] numbers = [.. Enumerable.Range(0, tuning.Trials)];
            for (var round = 0; round < Rounds; round++)
            {
                foreach (var number in numbers) Try(number, round, table, channel, time.Token);
                numbers = [.. table.Trials.Where(t => t.Round == round && t.Accuracy is not null)
                    .OrderByDescending(t => t.Accuracy).ThenBy(t => t.Number).Select(t => t.Number)
                    .Take((numbers.Length + tuning.Halving - 1) / tuning.Halving)];
            }
        }
        catch (OperationCanceledException) when (time.IsCancellationRequested && !options.CancellationToken.IsCancellationRequested)
        {
            channel.Warning(MessageSensitivity.None, "{0}",
                $"The search ended after {tuning.Minutes} minutes, with {table.Trials.Count} trials.");
        }
        catch
        {
            _model?.Dispose();
            throw;
        }
        return Result(table);
    }

    private void Try(int number, int round, TuningTable table, IChannel channel, CancellationToken time)
    {
        if (table.Trials.FirstOrDefault(t => t.Number == number && t.Round == round) is { } known)
        {
            if (IsBetter(known)) Keep(known, null);
            return;
        }
        time.ThrowIfCancellationRequested();
        var settings = SweepSpace.Draw(options, seed, number);
        var epochs = Math.Max(1, (int)(options.Epochs / Math.Pow(tuning.Halving, Rounds - 1 - round)));
        var folder = tuning.Folder is null ? null
            : Path.Combine(tuning.Folder, string.Create(CultureInfo.InvariantCulture, $"trial-{number}-{round}"));
        var clock = Stopwatch.StartNew();
        PrefixClipTransformer? model = null;
        string? fault = null;
        try
        {
            model = fit(Options(settings) with
            {
                Epochs = epochs,
                CancellationToken = time,
                Checkpoints = options.Checkpoints with { Folder = folder },
            });
        }
        catch (InvalidOperationException e) when (e is not ObjectDisposedException)
        {
            fault = e.Message;   // the loss is no longer finite, for example
        }
        var trial = new TuningTrial(number, round, epochs, settings, model is null ? null : Accuracy(model), clock.Elapsed.TotalSeconds,
            fault);
        if (model is not null && IsBetter(trial)) Keep(trial, model);
        else model?.Dispose();
        table.Add(trial);
        if (folder is not null && Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        channel.Info(MessageSensitivity.None, "{0}", string.Create(CultureInfo.InvariantCulture,
            $"Trial {number} of round {round}, {epochs} epochs: {(fault is null ? $"{trial.Accuracy:0.0000}" : fault)}"));
        tuning.Progress?.Report(trial);
    }

    private bool IsBetter(TuningTrial trial) => trial.Accuracy is { } accuracy && (_best is null || trial.Round > _best.Round
        || accuracy > _best.Accuracy || accuracy == _best.Accuracy && trial.Number < _best.Number);

    private void Keep(TuningTrial trial, PrefixClipTransformer? model)
    {
        _model?.Dispose();
        (_best, _model) = (trial, model);
        if (model is not null && tuning.Folder is not null)
            AtomicFile.Replace(
                Path.Combine(tuning.Folder, ModelName), stream => new ModelOperationsCatalog(host).Save(model, null, stream));
    }

    private TuningResult Result(TuningTable table)
    {
        if (_best is null)
            throw table.Trials.Count == 0
                ? new TimeoutException($"No trial ended within {nameof(TuningOptions.Minutes)} ({tuning.Minutes}). Allow more time, or " +
                    $"lower {nameof(PrefixClipOptions.Epochs)}.")
                : new InvalidOperationException($"Training failed in all {table.Trials.Count} trials. The first: {table.Trials[0].Fault}");
        var best = Options(_best.Settings) with { Epochs = _best.Epochs };
        if (_model is null)   // an earlier process trained it
        {
            var path = Path.Combine(tuning.Folder!, ModelName);
            _model = File.Exists(path) ? (PrefixClipTransformer)new ModelOperationsCatalog(host).Load(path, out _) : fit(best);
        }
        return new TuningResult(_model, best, _best, [.. table.Trials]);
    }

    private PrefixClipOptions Options(IReadOnlyDictionary<string, string> settings) => SweepSpace.With(options, settings);

    private double Accuracy(PrefixClipTransformer model) => options.Patience is null
        ? model.History.Validations[^1].Accuracy : model.History.Validations.Max(v => v.Accuracy);

    private string Identity(long? rowCount) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $"{SweepSpace.ToJson(options with { Checkpoints = new() })} {tuning.Trials} {tuning.Halving} {seed} {rowCount}"))));
}
