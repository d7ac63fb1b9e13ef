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
        if (first is not null && badRows == BadRowPolicy.Fail) throw LeftOutRows.Refusal(first, "samples");
        var starts = new int[scanned.Length + 1];
        for (var i = 0; i < scanned.Length; i++) starts[i + 1] = checked(starts[i] + scanned[i].Count);
        if (starts[^1] == 0)
            throw new InvalidDataException($"{NearName.Quoted(shards)} has no samples in {paths.Length} shard(s). {first}");
        var leftOut = LeftOutRows.Told(phase.Channel, scanned.Sum(s => (long)s.FaultCount), first,
            $"{NearName.Quoted(shards)}: {starts[^1]} sample(s) in {paths.Length} shard(s)");
        return new TextRowsView(
            starts[^1], columns.Names(),
            isRandom => new Rows(scanned, starts, classNames, datasetType, isRandom), leftOut);
    }

    /// <summary>The rows as one cursor reads them; in order, from a shard of its own, since the pool of files looks at the file each
    /// time.</summary>
    private sealed class Rows(WebDatasetShard[] shards, int[] starts, IReadOnlyDictionary<string, string>? classNames, string datasetType,
        bool isRandom) : IRowTexts
    {
        private WebDatasetShard _shard = shards[0];   // the one of the last row
        private FileStream? _file;

        public string? Text(int row, int column)
        {
            if (column == 2) return datasetType;
            var index = Array.BinarySearch(starts, row);
            if (index < 0) index = ~index - 1;
            while (starts[index + 1] == starts[index]) index++;   // shards without samples
            var (shard, sample) = (shards[index], row - starts[index]);
            if (shard != _shard) Dispose();
            _shard = shard;
            return column switch
            {
                0 => shard.Image(sample),
                1 => Named(shard.Text(sample, Read)),
                _ => Named(shard.Label(sample, Read)),
            };
        }

        public void Dispose()
        {
            _file?.Dispose();
            _file = null;
        }

        private byte[] Read(long offset, int length)
        {
            if (isRandom) return ImageArchiveCache.Read(_shard.Path, offset, length, "a text");
            _file ??= RemoteFiles.Read(_shard.Path, local => RegularFile.Open(local));
            try
            {
                return ImageArchive.ReadBytes(_file.SafeFileHandle, offset, length);
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
            {
                throw new InvalidDataException($"{NearName.Quoted(_shard.Path)} was changed or cut off. Load it again.", e);
            }
        }

        private string? Named(string? code) =>
            code is not null && classNames is not null && classNames.TryGetValue(code, out var name) ? name : code;
    }
}
