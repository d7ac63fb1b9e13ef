using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Samples;

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
    public StudyRun(StudyArguments arguments)
    {
        _arguments = arguments;
        _config = StudyConfigFile.Read(arguments.Config);
        var folder = arguments.Data ?? Path.Combine(Path.GetDirectoryName(Path.GetFullPath(arguments.Config))!, _config.Data);
        _store = new CellStore(arguments.Output);
        using var preparing = _store.Prepare();
        _data = StudyData.Load(_mlContext, _config, Path.GetFullPath(folder), Path.Combine(arguments.Output, "data"));
        _cells = StudyCell.All(_config, _data.Fingerprint());
    }

    /// <summary>Runs until everything is done, the time is up, or the user stops it; all finished cells are kept.</summary>
    /// <returns>Whether the study is complete.</returns>
    public bool Run(CancellationToken cancellation)
    {
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (_arguments.Minutes is { } minutes) time.CancelAfter(TimeSpan.FromMinutes(minutes));
        Console.WriteLine($"{Trained.Count()} models to train, {Trained.Count(c => _store.Find(c) is not null)} of them done before; {_config.Tests.Count} test sets.");
        Write();
        try
        {
            foreach (var cell in _cells)
            {
                time.Token.ThrowIfCancellationRequested();
                if (_store.Find(cell) is not null) continue;
                using var claim = _store.Claim(cell);
                // Another process may have finished it since.
                if (claim is null || _store.Find(cell) is not null) continue;
                Train(cell, time.Token);
                Write();
            }
        }
        catch (OperationCanceledException) when (time.IsCancellationRequested)
        {
            Console.WriteLine();
            Console.WriteLine(cancellation.IsCancellationRequested ? "Stopped." : "The time is up.");
        }
        return Write();
    }

    /// <summary>Every model once; some stand for two losses.</summary>
    private IEnumerable<StudyCell> Trained => _cells.DistinctBy(c => c.Key);

    private void Train(StudyCell cell, CancellationToken cancellation)
    {
        var name = $"{cell.Model.Name}, {cell.TrainedLoss}, seed {cell.Seed}";
        var bar = new ProgressBar(name);
        var watch = Stopwatch.StartNew();
        var result = new CellRun(_mlContext, _data, _store, _arguments.KeepsModels).Run(cell, new TrainingBar(bar), cancellation);
        _store.Keep(cell, result);
        var finished = Finished();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"[{finished.DistinctBy(r => r.Key).Count()}/{Trained.Count()}] {name}: {Headline(cell, result)}{watch.Elapsed:m\\:ss} minutes; about {TimeLeft(finished):h\\:mm} hours left"));
    }

    private string Headline(StudyCell cell, CellResult result)
    {
        var prefix = StudyCell.ReportedPrefix(_config, cell.Model);
        var roles = _config.Tests.ToDictionary(t => t.Name, t => t.Role);
        var scores = result.Scores.Where(s => s.Split == "test" && s.Prefix == prefix && roles[s.TestSet] != TestRole.Near).ToArray();
        return scores.Length == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{100 * scores.Average(s => s.Top1):0.0} % on shifted and unseen sets, ");
    }

    private TimeSpan TimeLeft(IReadOnlyList<CellResult> finished)
    {
        var mean = finished.Average(r => r.Seconds);
        var byModel = finished.GroupBy(r => (r.Model, r.Loss)).ToDictionary(g => g.Key, g => g.Average(r => r.Seconds));
        var done = finished.Select(r => r.Key).ToHashSet();
        return TimeSpan.FromSeconds(Trained.Where(c => !done.Contains(c.Key)).Sum(c => byModel.GetValueOrDefault((c.Model.Name, c.Loss), mean)));
    }

    private List<CellResult> Finished() => [.. _cells.Select(_store.Find).OfType<CellResult>()];

    private bool Write()
    {
        var finished = Finished();
        if (finished.Count > 0) StudyFiles.Write(Results(finished), _arguments.Output);
        return finished.Count == _cells.Count;
    }

    private StudyResults Results(IReadOnlyList<CellResult> finished)
    {
        var tests = _config.Tests.Select(test => new TestSetInfo(test.Name, test.Description, test.Role, test.Distance,
            [.. _data.Tests.Where(t => t.Test == test).Select(t => new SplitInfo(t.Split, t.Count, t.ClassNames.Count))]));
        var models = _config.Models.Select(m => new ModelInfo(m.Name, m.Description, StudyCell.ReportedPrefix(_config, m)));
        return new StudyResults(_config.Name, _config.Description, Facts(), [.. tests], [.. models], _config.Losses, _config.Seeds, Comparisons(), finished);
    }

    private List<(string Key, string Value)> Facts()
    {
        var facts = new List<(string, string)>
        {
            ("Configuration", Path.GetFileName(_arguments.Config)),
            ("Training data", string.Join("; ", _config.Models.Select(m => m.Data).Distinct().Select(d =>
                $"{d}: {_data.Training(new ModelConfig { Name = d, Data = d }).Count.ToString("N0", CultureInfo.InvariantCulture)} rows"))),
            ("Seeds", string.Join(", ", _config.Seeds)),
            ("Validation", string.Create(CultureInfo.InvariantCulture, $"{_config.ValidationShare:0.##} of the test sets' classes, on which choices are made")),
        };
        facts.AddRange(_config.Training.Select(t => (t.Key, t.Value?.ToJsonString() ?? "null")));
        return facts;
    }

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
        return [.. comparisons.Select(c => new Comparison(c.Model, c.Prefix ?? Reported(c.Model).Prefix, [.. c.Against.Select(Reported)]))];
    }
}
