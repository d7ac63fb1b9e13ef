using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Turns the shards of a WebDataset into rows.</summary>
internal static class WebDatasetSource
{
    /// <summary>Reads the shards' indexes, or scans them, in parallel; images are not read, texts are read when a row is.</summary>
    /// <returns>Columns image, text, dataset type and label, in the order of shards and samples.</returns>
    public static IDataView Load(LongPhase phase, string shards, WebDatasetMembers members,
        IReadOnlyDictionary<string, string>? classNames, BadRowPolicy badRows, string? indexFolder, string datasetType,
        SourceColumns columns)
    {
        var paths = ShardList.Expand(shards);
        var scanned = new WebDatasetShard[paths.Length];
        var unwritten = new string?[paths.Length];
        ParallelLoop.Run(paths.Length,
            i => (scanned[i], unwritten[i]) = WebDatasetIndex.Open(paths[i], indexFolder, members, phase));
        if (unwritten.FirstOrDefault(u => u is not null) is { } reason)
            phase.Channel.Info(MessageSensitivity.None, "{0}",
                $"{NearName.Quoted(shards)}: the index of {unwritten.Count(u => u is not null)} " +
                $"shard(s) cannot be kept, so that the next load scans them again. {reason} Or set indexFolder.");
        var first = scanned.FirstOrDefault(s => s.FaultCount > 0)?.FirstFault;
        if (first is not null && badRows == BadRowPolicy.Fail)
            throw new InvalidDataException($"{first} To leave such samples out, set badRows to {nameof(BadRowPolicy.Skip)}.");
        var starts = new int[scanned.Length + 1];
        for (var i = 0; i < scanned.Length; i++) starts[i + 1] = checked(starts[i] + scanned[i].Count);
        if (starts[^1] == 0)
            throw new InvalidDataException($"{NearName.Quoted(shards)} has no samples in {paths.Length} shard(s). {first}");
        if (first is not null)
            phase.Channel.Warning(MessageSensitivity.None, "{0}", $"{NearName.Quoted(shards)}: {starts[^1]} sample(s) in {paths.Length} " +
                $"shard(s); {scanned.Sum(s => (long)s.FaultCount)} left out. The first fault: {first}");
        return new TextRowsView(
            starts[^1],
            (columns.Image, row => At(row) is var (shard, sample) ? shard.Image(sample) : null),
            (columns.Text, row => At(row) is var (shard, sample) ? Named(shard.Text(sample)) : null),
            (columns.DatasetType, _ => datasetType),
            (columns.Label, row => At(row) is var (shard, sample) ? Named(shard.Label(sample)) : null));

        (WebDatasetShard Shard, int Sample) At(int row)
        {
            var (low, high) = (0, scanned.Length - 1);
            while (low < high)
            {
                var middle = low + ((high - low + 1) / 2);
                if (starts[middle] <= row) low = middle;
                else high = middle - 1;
            }
            return (scanned[low], row - starts[low]);
        }

        string? Named(string? code) =>
            code is not null && classNames is not null && classNames.TryGetValue(code, out var name) ? name : code;
    }
}
