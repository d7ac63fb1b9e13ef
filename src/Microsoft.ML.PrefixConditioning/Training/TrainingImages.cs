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

    public TrainingImages(TaggedRows rows, TrainingSetup run, ulong seed)
    {
        var options = run.Options;
        (_rows, _decoding, _policy, _seed) = (rows, options.ImageDecoding, options.BadRows, seed);
        _preprocessor = run.Model.CreatePreprocessor();
        _cache = new DecodedImageCache(options.ImageCacheMegabytes * 1024L * 1024L);
        _augmentation = options.Augmentation;
        _shortSide = _preprocessor.TrainingShortSide(_augmentation);
    }

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
            foreach (var row in rows) _bad[row] = $"Row {_rows.Numbers[row]} could not be read in an earlier part of the run.";
    }

    /// <summary>Numbers in one image, 3 * S * S.</summary>
    public int Length => _preprocessor.Length;

    /// <summary>Decodes and augments the rows' images on all cores.</summary>
    /// <param name="batch">Rows; a row whose image cannot be read is replaced in place.</param>
    /// <param name="step">Position in the run; augmentation depends on it.</param>
    /// <param name="pixels">[N, 3, S, S], filled row by row.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <exception cref="InvalidDataException">An image cannot be read and the policy is to fail, or too many cannot.</exception>
    public void Load(int[] batch, int step, float[] pixels, CancellationToken cancellation)
    {
        var unreadable = new bool[batch.Length];
        void Prepare(int place, RgbImage image)
        {
            var random = SeededRandom.Derive(_seed, AugmentationPurpose, (ulong)step, (ulong)place);
            _preprocessor.ApplyTrain(image, pixels.AsSpan(place * Length, Length), _augmentation, ref random);
        }
        ParallelLoop.Run(batch.Length, i =>
        {
            if (Decode(batch[i]) is { } image) Prepare(i, image);
            else unreadable[i] = true;
        }, cancellation);
        if (!unreadable.Contains(true)) return;
        // One after the other, because each choice depends on those before it.
        var taken = batch.ToHashSet();
        for (var i = 0; i < batch.Length; i++)
        {
            if (!unreadable[i]) continue;
            cancellation.ThrowIfCancellationRequested();
            (batch[i], var image) = Replacement(batch[i], taken);
            taken.Add(batch[i]);
            Prepare(i, image);
        }
    }

    /// <summary>The next readable row of the type that is not in the batch; in the batch, where there is no other.</summary>
    private (int Row, RgbImage Image) Replacement(int row, HashSet<int> taken)
    {
        (int Row, RgbImage Image)? repeated = null;
        for (var next = NextOfType(row); next != row; next = NextOfType(next))
        {
            if (taken.Contains(next) && repeated is not null) continue;
            if (Decode(next) is not { } image) continue;
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

    private RgbImage? Decode(int row)
    {
        lock (_lock)
            if (_bad.ContainsKey(row)) return null;
        if (_cache.TryGet(row, out var cached)) return cached;
        try
        {
            var image = ImageDecoder.Decode(_rows.Images[row], _decoding, _shortSide);
            _cache.TryAdd(row, image);
            return image;
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            var fault = $"Row {_rows.Numbers[row]}: {e.Message}";
            if (_policy == BadRowPolicy.Fail) throw new InvalidDataException($"{fault} {TaggedRows.SkipRemedy}", e);
            MarkBad(row, fault);
            return null;
        }
    }

    private void MarkBad(int row, string fault)
    {
        lock (_lock)
        {
            _bad[row] = fault;
            _rows.CheckBadCount(_rows.BadCount + _bad.Count, FirstFault());
        }
    }

    /// <summary>What is wrong with the first row left out so far; empty if there is none.</summary>
    public string FirstFault()
    {
        lock (_lock) return _bad.FirstOrDefault().Value ?? "";
    }
}
