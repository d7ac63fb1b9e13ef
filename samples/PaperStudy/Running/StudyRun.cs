using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.PrefixConditioning;

namespace PaperStudy;

/// <summary>Runs the cells of a study that are not finished, one after the other, and writes the report after each.</summary>
internal sealed class StudyRun
{
    private readonly StudyArguments _arguments;
    private readonly StudyConfig _config;
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly StudyData _data;
    private readonly CellStore _store;
    private readonly IReadOnlyList<StudyCell> _cells;

    /// <summary>Reads configuration and data.</summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="cancellation">Ends waiting for another process that prepares the same data.</param>
    public StudyRun(StudyArguments arguments, CancellationToken cancellation)
    {
        _arguments = arguments;
        _config = StudyConfigFile.Read(arguments.Config);
        var folder = arguments.Data ?? Path.Combine(Path.GetDirectoryName(Path.GetFullPath(arguments.Config))!, _config.Data);
        _store = new CellStore(arguments.Output);
        using var preparing = _store.Alone("preparing", "prepares data", cancellation);
        _data = StudyData.Load(_mlContext, _config, Path.GetFullPath(folder), Path.Combine(arguments.Output, "data"));
        _cells = StudyCell.All(_config, _data.Fingerprint(arguments.Output));
        Check();
    }

    /// <summary>Runs until everything is done, the time is up, or the user stops it; all finished cells are kept.</summary>
    /// <returns>Whether the study is complete.</returns>
    /// <exception cref="InvalidDataException">Models could not be trained; all others are.</exception>
    public bool Run(CancellationToken cancellation)
    {
        var failed = new List<string>();
        var elsewhere = new List<StudyCell>();
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (_arguments.Minutes is { } minutes) time.CancelAfter(TimeSpan.FromMinutes(minutes));
        Console.WriteLine($"{Trained.Count()} models to train, {Trained.Count(c => _store.Find(c) is not null)} of them done before; " +
            $"{_config.Tests.Count} test sets.");
        Write();
        try
        {
            foreach (var cell in Trained)
            {
                time.Token.ThrowIfCancellationRequested();
                if (_store.Find(cell) is not null) continue;
                using var claim = _store.Claim(cell);
                if (claim is null)
                {
                    elsewhere.Add(cell);
                    continue;
                }
                if (_store.Find(cell) is not null) continue;   // another process has finished it since
                try
                {
                    Train(cell, time.Token);
                }
                catch (InvalidOperationException e)   // such as a loss that is no number any more
                {
                    failed.Add($"{NameOf(cell)}: {e.Message}");
                    Console.WriteLine();
                    Console.WriteLine($"{failed[^1]} The study continues with the other models.");
                    continue;
                }
                Write();
            }
        }
        catch (OperationCanceledException) when (time.IsCancellationRequested)
        {
            Console.WriteLine();
            Console.WriteLine(cancellation.IsCancellationRequested ? "Stopped." : "The time is up.");
        }
        var complete = Write();
        var unfinished = elsewhere.Count(c => _store.Find(c) is null);
        if (unfinished > 0) Console.WriteLine($"Another process was training {unfinished} model(s) when this process reached them.");
        return failed.Count == 0 ? complete : throw new InvalidDataException(
            $"{failed.Count} model(s) could not be trained; correct their settings and run the same command " +
                $"again:{string.Concat(failed.Select(f => $"{Environment.NewLine}- {f}"))}");
    }

    /// <summary>Builds every model's settings, so that a wrong one is seen now and not after hours.</summary>
    private void Check()
    {
        foreach (var cell in _cells.DistinctBy(c => (c.Model, c.TrainedLoss)))
        {
            var (_, count, types) = _data.Training(cell.Model);
            try
            {
                _mlContext.Transforms.PrefixClip(cell.Training.ToOptions(types, count, cell.TrainedLoss, cell.Seed));
            }
            catch (ArgumentException e)
            {
                throw new InvalidDataException($"The settings of model '{cell.Model.Name}' cannot be trained: {e.Message}", e);
            }
        }
    }

    private static string NameOf(StudyCell cell) => $"{cell.Model.Name}, {cell.TrainedLoss}, seed {cell.Seed}";

    /// <summary>Every model once; some stand for two losses.</summary>
    private IEnumerable<StudyCell> Trained => _cells.DistinctBy(c => (c.Model.Name, c.Key));

    private void Train(StudyCell cell, CancellationToken cancellation)
    {
        var name = NameOf(cell);
        var watch = Stopwatch.StartNew();
        var result = new CellRun(_mlContext, _data, _store, _arguments.KeepsModels).Run(cell, TrainingMonitor.Bar(name), cancellation);
        _store.Keep(cell, result);
        var finished = Finished();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"[{finished.DistinctBy(r => (r.Model, r.Key)).Count()}/{Trained.Count()}] {name}: " +
                $"{Headline(cell, result)}{(int)watch.Elapsed.TotalMinutes}:{watch.Elapsed.Seconds:00} minutes{TimeLeft(finished)}"));
    }

    private string Headline(StudyCell cell, CellResult result)
    {
        var prefix = StudyCell.ReportedPrefix(_config, cell.Model);
        var roles = _config.Tests.ToDictionary(t => t.Name, t => t.Role);
        var scores = result.Scores.Where(s => s.Split == "test" && s.Prefix == prefix && roles[s.TestSet] != TestRole.Near).ToArray();
        return scores.Length == 0 ? ""
            : string.Create(CultureInfo.InvariantCulture, $"{100 * scores.Average(s => s.Top1):0.0} % on shifted and unseen sets, ");
    }

    private string TimeLeft(IReadOnlyList<CellResult> finished)
    {
        var timed = finished.Where(r => r.Seconds is not null).ToArray();
        if (timed.Length == 0) return "";
        var mean = timed.Average(r => r.Seconds!.Value);
        var byModel = timed.GroupBy(r => (r.Model, r.Loss)).ToDictionary(g => g.Key, g => g.Average(r => r.Seconds!.Value));
        var done = finished.Select(r => r.Key).ToHashSet();
        var left = TimeSpan.FromSeconds(Trained.Where(c => !done.Contains(c.Key)).Sum(c =>
            byModel.GetValueOrDefault((c.Model.Name, c.Loss), mean)));
        return string.Create(CultureInfo.InvariantCulture, $"; about {(int)left.TotalHours}:{left.Minutes:00} hours left");
    }

    private List<CellResult> Finished() => [.. _cells.Select(_store.Find).OfType<CellResult>()];

    private bool Write()
    {
        // Cells are read under the lock: the process that writes last has them all.
        using var alone = _store.Alone("report", "writes the report");
        var finished = Finished();
        if (finished.Count > 0) StudyFiles.Write(Results(finished), _arguments.Output);
        return finished.Count == _cells.Count;
    }

    private StudyResults Results(IReadOnlyList<CellResult> finished)
    {
        var tests = _config.Tests.Select(test => new TestSetInfo(test.Name, test.Description, test.Role, test.Distance,
            [.. _data.Tests.Where(t => t.Test == test).Select(t => new SplitInfo(t.Split, t.Count, t.ClassNames.Count))]));
        var models = _config.Models.Select(m =>
            new ModelInfo(m.Name, m.Description, StudyCell.ReportedPrefix(_config, m), StudyCell.CaptionPrefix(_config, m)));
        return new StudyResults(_config.Name, _config.Description, Facts(finished), [.. tests], [.. models], _config.Losses, _config.Seeds,
            Comparisons(), finished);
    }

    private List<(string Key, string Value)> Facts(IReadOnlyList<CellResult> finished)
    {
        var facts = new List<(string, string)>
        {
            ("Configuration", Path.GetFileName(_arguments.Config)),
            ("Training data", string.Join("; ", _config.Models.Select(m => m.Data).Distinct().Select(d =>
                $"{d}: {_data.Training(new ModelConfig { Name = d, Data = d }).Count.ToString("N0", CultureInfo.InvariantCulture)} rows"))),
            ("Seeds", string.Join(", ", _config.Seeds)),
            ("Validation", string.Create(CultureInfo.InvariantCulture,
                $"{_config.ValidationShare:0.##} of the test sets' {Split()}, on which choices are made")),
            ("Package", string.Join(", ", finished.Select(r => r.Version ?? "not known").Distinct().Order(StringComparer.Ordinal))
                + (finished.Select(r => r.Version).Distinct().Count() > 1
                    ? ": models of several versions; delete the older ones in cells/ to train them again" : "")),
        };
        facts.AddRange(_config.Training.Select(t => (t.Key, t.Value?.ToJsonString() ?? "null")));
        return facts;
    }

    private string Split() => string.Join(" or ", _config.Tests.Select(t => t.SplitBy).Distinct().Order(StringComparer.Ordinal));

    private List<Comparison> Comparisons()
    {
        ModelAndPrefix Reported(string name) => new(name, StudyCell.ReportedPrefix(_config, _config.Models.First(m => m.Name == name)));
        IReadOnlyList<ComparisonConfig> comparisons = _config.Comparisons;
        var paper = ModelConfig.Paper.Select(m => m.Name).ToArray();
        if (comparisons.Count == 0 && paper.All(p => _config.Models.Any(m => m.Name == p)))
            comparisons =
            [
                new ComparisonConfig { Model = paper[4], Against = [paper[2], paper[3]] },
                new ComparisonConfig { Model = paper[4], Prefix = StudyScores.AutoPrefix, Against = [paper[2], paper[3]] },
            ];
        return [.. comparisons.Select(c =>
            new Comparison(c.Model, c.Prefix is { } prefix ? StudyCell.PrefixNamed(prefix) : Reported(c.Model).Prefix,
            [.. c.Against.Select(Reported)]))];
    }
}
