using System.Globalization;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The images of a batch as network input: decoded once where memory allows, augmented anew each time.</summary>
/// <remarks>
/// Augmentation depends on the seed, the step and the place in the batch only, so the order in which threads work changes nothing. An
/// unreadable image is replaced by that of the next readable row of its dataset type that is not in the batch: the same one on every run.
/// Messages count rows from 1.
/// </remarks>
internal sealed class TrainingImages
{
    private const ulong AugmentationPurpose = 4;

    private readonly TaggedRows _rows;
    private readonly ImagePreprocessor _preprocessor;
    private readonly DecodedImageCache _cache;
    private readonly AugmentationOptions _augmentation;
    private readonly ImageDecoding _decoding;
    private readonly int _shortSide;
    private readonly BadRowPolicy _policy;
    private readonly ulong _seed;
    private readonly Lock _lock = new();
    private readonly SortedDictionary<int, string> _bad = [];
    private readonly List<int> _untold = [];     // bad rows that the other ranks have not been told of
    private readonly Ranks _ranks;

    public TrainingImages(TaggedRows rows, TrainingSetup setup, ulong seed)
    {
        var options = setup.Options;
        (_rows, _decoding, _policy, _seed, _ranks) = (rows, options.ImageDecoding, options.BadRows, seed, setup.Ranks);
        _preprocessor = setup.Model.CreatePreprocessor();
        _cache = new DecodedImageCache(options.ImageCacheMegabytes * 1024L * 1024L);
        _augmentation = options.Augmentation;
        _shortSide = _preprocessor.TrainingShortSide(_augmentation);
    }

    /// <summary>How much the cache of decoded images helps, for the log.</summary>
    public string CacheSummary => string.Create(CultureInfo.InvariantCulture, $"{_cache.HitRate:0%} of the images came from the cache of " +
        $"decoded images, which holds {_cache.Count} of {_rows.Count} in {_cache.UsedBytes >> 20} MB.");

    /// <summary>Rows left out so far because their image cannot be read.</summary>
    public int BadCount
    {
        get { lock (_lock) return _bad.Count; }
    }

    /// <summary>The rows left out so far, ascending.</summary>
    public int[] LeftOut()
    {
        lock (_lock) return [.. _bad.Keys];
    }

    /// <summary>Leaves rows out that an earlier part of the run found unreadable.</summary>
    public void LeaveOut(IEnumerable<int> rows)
    {
        lock (_lock)
            foreach (var row in rows) _bad[row] = $"Row {_rows.NumberOf(row)} could not be read in an earlier part of the run.";
    }

    /// <summary>Numbers in one image, 3 * S * S.</summary>
    public int Length => _preprocessor.Length;

    /// <summary>Decodes and augments the rows' images on all cores; a row whose image cannot be read is replaced in place.</summary>
    /// <param name="batch">Rows.</param>
    /// <param name="step">Position in the run; augmentation depends on it.</param>
    /// <param name="pixels">[N, 3, S, S], filled row by row.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <exception cref="InvalidDataException">An image cannot be read and the policy is to fail, or too many cannot.</exception>
    public void Load(int[] batch, int step, float[] pixels, CancellationToken cancellation) =>
        Replace(batch, LoadReadable(batch, step, pixels, cancellation), step, pixels, cancellation);

    /// <summary>Decodes and augments the images of this rank's part of the rows on all cores.</summary>
    /// <param name="batch">Rows of all ranks.</param>
    /// <param name="step">Position in the run; augmentation depends on it.</param>
    /// <param name="pixels">[n, 3, S, S] of this rank's part, filled row by row.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <returns>Places in the batch whose images cannot be read, ascending.</returns>
    /// <exception cref="InvalidDataException">An image cannot be read and the policy is to fail, or too many cannot.</exception>
    public int[] LoadReadable(int[] batch, int step, float[] pixels, CancellationToken cancellation)
    {
        var (first, count) = _ranks.PartOf(batch.Length);
        var unreadable = new bool[count];
        ParallelLoop.Run(count, i =>
        {
            using var memory = new MemoryShare(cancellation);
            if (Decode(batch[first + i], memory) is { } image) Prepare(first + i, first, image, step, pixels);
            else unreadable[i] = true;
        }, cancellation);
        return [.. Enumerable.Range(first, count).Where(place => unreadable[place - first])];
    }

    /// <summary>Replaces unreadable rows, one after the other, because each choice depends on those before it.</summary>
    /// <param name="batch">Rows of all ranks; changed in place.</param>
    /// <param name="places">Places of all ranks whose images cannot be read, ascending. A rank chooses for its own part, and tells the
    /// others.</param>
    /// <param name="step">Position in the run; augmentation depends on it.</param>
    /// <param name="pixels">[n, 3, S, S] of this rank's part.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <exception cref="InvalidDataException">No other image can be read, or too many cannot.</exception>
    public void Replace(int[] batch, int[] places, int step, float[] pixels, CancellationToken cancellation)
    {
        if (places.Length == 0) return;
        var (first, count) = _ranks.PartOf(batch.Length);
        var taken = batch.ToHashSet();
        foreach (var place in places)
        {
            cancellation.ThrowIfCancellationRequested();
            int[] chosen = [];
            if (place >= first && place < first + count)
            {
                (batch[place], var image) = Replacement(batch[place], taken);
                Prepare(place, first, image, step, pixels);
                chosen = [batch[place]];
            }
            if (_ranks.Count > 1) batch[place] = Share(chosen).Single();
            taken.Add(batch[place]);
        }
    }

    /// <summary>Numbers from each rank in the order of the ranks; with them go the bad rows that this rank has found since.</summary>
    public int[] Share(int[] numbers)
    {
        KeyValuePair<int, string>[] found;
        lock (_lock)
        {
            found = [.. _untold.Select(row => KeyValuePair.Create(row, _bad[row]))];
            _untold.Clear();
        }
        var nothing = numbers.Length + found.Length == 0;
        var all = _ranks.Exchange(nothing ? "" : JsonSerializer.Serialize(new Message(numbers, found)))
            .Where(m => m.Length > 0).Select(m => JsonSerializer.Deserialize<Message>(m)!).ToArray();
        lock (_lock)
        {
            foreach (var (row, fault) in all.SelectMany(m => m.Found)) _bad.TryAdd(row, fault);
            if (all.Length > 0) _rows.CheckBadCount(_rows.BadCount + _bad.Count, FirstFault());
        }
        return [.. all.SelectMany(m => m.Numbers)];
    }

    private void Prepare(int place, int first, RgbImage image, int step, float[] pixels)
    {
        var random = SeededRandom.Derive(_seed, AugmentationPurpose, (ulong)step, (ulong)place);
        _preprocessor.ApplyTrain(image, pixels.AsSpan((place - first) * Length, Length), _augmentation, ref random);
    }

    /// <summary>The next readable row of the type that is not in the batch; in the batch, where there is no other.</summary>
    private (int Row, RgbImage Image) Replacement(int row, HashSet<int> taken)
    {
        (int Row, RgbImage Image)? repeated = null;
        for (var next = NextOfType(row); next != row; next = NextOfType(next))
        {
            if (taken.Contains(next) && repeated is not null) continue;
            if (Decode(next, memory: null) is not { } image) continue;
            if (!taken.Contains(next)) return (next, image);
            repeated = (next, image);
        }
        return repeated ?? throw new InvalidDataException(
            $"None of the images of dataset type '{_rows.Types[_rows.DatasetTypes[row]].Name}' can be read. The first fault: " +
                $"{FirstFault()}");
    }

    private int NextOfType(int row)
    {
        var type = _rows.DatasetTypes[row];
        do row = (row + 1) % _rows.Count; while (_rows.DatasetTypes[row] != type);
        return row;
    }

    private RgbImage? Decode(int row, MemoryShare? memory)
    {
        lock (_lock)
            if (_bad.ContainsKey(row)) return null;
        if (_cache.TryGet(row, out var cached)) return cached;
        try
        {
            var image = ImageDecoder.Decode(_rows.Images[row], _decoding, _shortSide, memory);
            _cache.TryAdd(row, image);
            return image;
        }
        catch (Exception e) when (ImageDecoder.IsUnreadable(e))
        {
            var fault = $"Row {_rows.NumberOf(row)}: {e.Message}";
            if (_policy == BadRowPolicy.Fail) throw new InvalidDataException($"{fault} {TaggedRows.SkipRemedy}", e);
            MarkBad(row, fault);
            return null;
        }
    }

    private void MarkBad(int row, string fault)
    {
        lock (_lock)
        {
            if (_bad.TryAdd(row, fault)) _untold.Add(row);
            _rows.CheckBadCount(_rows.BadCount + _bad.Count, FirstFault());
        }
    }

    /// <summary>What is wrong with the first row left out so far; empty if there is none.</summary>
    public string FirstFault()
    {
        lock (_lock) return _bad.FirstOrDefault().Value ?? "";
    }

    /// <summary>What one rank tells the others.</summary>
    /// <param name="Numbers">Places in the batch, or rows.</param>
    /// <param name="Found">Bad rows and their faults.</param>
    private sealed record Message(int[] Numbers, KeyValuePair<int, string>[] Found);
}
