namespace Microsoft.ML.PrefixConditioning;

/// <summary>Draws the rows of every batch. They depend on the seed and the step only, so a run can resume at any step.</summary>
/// <remarks>
/// Source: arXiv 2206.01125, section 3.2 (batches of one dataset type, drawn in proportion to the types' sizes). Rows are drawn without
/// replacement: a stream's rows are shuffled, cut into full batches, and reshuffled when all batches are used. Two captions of one image
/// are kept out of the same batch where possible, because each would be a false negative of the other.
/// </remarks>
internal sealed class BatchSampler
{
    private const ulong TypePurpose = 1, OrderPurpose = 2;

    private readonly int[][] _streams;         // rows of each dataset type, or all rows as one stream
    private readonly double[] _cumulative;     // upper ends of the streams' shares of [0, 1)
    private readonly (int[] Rows, int Count)[]? _parts;   // of a weighted union: rows of each dataset type, and how many a pass takes
    private readonly int[] _imageOfRow;
    private readonly int _batchSize;
    private readonly ulong _seed;

    /// <param name="datasetTypes">Dataset type of every row, from 0.</param>
    /// <param name="imageOfRow">A number for every row's image; rows of one image have the same.</param>
    /// <param name="composition">Batches of one dataset type, or of the union.</param>
    /// <param name="weights">How often each type's batches, or in mixed batches its rows, are drawn; or null for the types' row
    /// counts.</param>
    /// <param name="batchSize">Rows in a batch; every stream has at least as many.</param>
    /// <param name="seed">Seed of the run.</param>
    public BatchSampler(int[] datasetTypes, int[] imageOfRow, BatchComposition composition, IReadOnlyList<double>? weights, int batchSize,
        ulong seed)
    {
        (_imageOfRow, _batchSize, _seed) = (imageOfRow, batchSize, seed);
        var rows = Enumerable.Range(0, datasetTypes.Length);
        int[][] types = [.. rows.GroupBy(r => datasetTypes[r]).OrderBy(g => g.Key).Select(g => g.ToArray())];
        var shares = types.Select((t, i) => weights?[i] ?? t.Length).ToArray();
        var sum = shares.Sum();
        double[] cumulative = [.. shares.Select((_, i) => shares.Take(i + 1).Sum() / sum)];
        (_streams, _cumulative) = composition == BatchComposition.Mixed ? ([[.. rows]], [1]) : (types, cumulative);
        if (composition == BatchComposition.Mixed && weights is not null)
        {
            var ends = cumulative.Select(c => (int)Math.Round(c * datasetTypes.Length)).ToArray();
            _parts = [.. types.Select((t, i) => (t, ends[i] - (i == 0 ? 0 : ends[i - 1])))];
        }
        StepsPerEpoch = Math.Max(1, datasetTypes.Length / batchSize);
    }

    /// <summary>Full batches that fit into the rows.</summary>
    public int StepsPerEpoch { get; }

    /// <summary>The rows of each batch, from a step on, without end.</summary>
    /// <param name="firstStep">Steps done before, from 0.</param>
    public IEnumerable<int[]> Batches(int firstStep)
    {
        var drawn = new long[_streams.Length];   // batches taken from each stream so far
        var orders = new (long Pass, int[] Rows)[_streams.Length];
        for (var step = 0; ; step++)
        {
            var stream = StreamOf(step);
            var number = drawn[stream]++;
            if (step < firstStep) continue;
            var batchesPerPass = _streams[stream].Length / _batchSize;
            var (pass, place) = (number / batchesPerPass, (int)(number % batchesPerPass));
            if (orders[stream].Rows is null || orders[stream].Pass != pass) orders[stream] = (pass, Order(stream, pass));
            yield return orders[stream].Rows.AsSpan(place * _batchSize, _batchSize).ToArray();
        }
    }

    private int StreamOf(int step)
    {
        if (_streams.Length == 1) return 0;
        var random = SeededRandom.Derive(_seed, TypePurpose, (ulong)step);
        var at = random.NextDouble();
        var stream = 0;
        while (stream < _streams.Length - 1 && at >= _cumulative[stream]) stream++;
        return stream;
    }

    private int[] Order(int stream, long pass)
    {
        var rows = Shuffled(_parts is null ? _streams[stream]
            : [.. _parts.SelectMany((part, i) => Part(part.Rows, part.Count, pass, i + 1))], stream, pass);
        SeparateRepeatedImages(rows);
        return rows;
    }

    /// <summary>One type's rows for a pass; how often two rows occur differs by at most one.</summary>
    private IEnumerable<int> Part(int[] rows, int count, long pass, int stream)
    {
        var (cycle, place) = Math.DivRem(pass * count, rows.Length);
        var order = Shuffled(rows, stream, cycle);
        for (var i = 0; i < count; i++)
        {
            if (place == rows.Length) (order, place) = (Shuffled(rows, stream, ++cycle), 0);
            yield return order[place++];
        }
    }

    private int[] Shuffled(int[] rows, int stream, long pass)
    {
        var random = SeededRandom.Derive(_seed, OrderPurpose, (ulong)stream, (ulong)pass);
        var shuffled = rows.AsSpan().ToArray();
        random.Shuffle(shuffled.AsSpan());
        return shuffled;
    }

    private void SeparateRepeatedImages(int[] rows)
    {
        var inBatch = new HashSet<int>();
        for (var begin = 0; begin + _batchSize <= rows.Length; begin += _batchSize)
        {
            inBatch.Clear();
            for (var i = begin; i < begin + _batchSize; i++)
                if (!inBatch.Add(_imageOfRow[rows[i]])
                    && (SwapWithLater(rows, i, begin + _batchSize, inBatch) || SwapWithEarlier(rows, i, begin)))
                    inBatch.Add(_imageOfRow[rows[i]]);
        }
    }

    /// <summary>Swaps a repeated image with the first later row that fits; near the end of a pass there may be none.</summary>
    private bool SwapWithLater(int[] rows, int place, int end, HashSet<int> inBatch)
    {
        for (var later = end; later < rows.Length; later++)
            if (!inBatch.Contains(_imageOfRow[rows[later]]))
            {
                (rows[place], rows[later]) = (rows[later], rows[place]);
                return true;
            }
        return false;
    }

    /// <summary>Swaps a repeated image with a row of an earlier batch, if each fits into the other's batch.</summary>
    private bool SwapWithEarlier(int[] rows, int place, int begin)
    {
        var image = _imageOfRow[rows[place]];
        // the rows that are still to come, too
        var own = rows.AsSpan(begin, _batchSize).ToArray().Select(r => _imageOfRow[r]).ToHashSet();
        for (var other = 0; other < begin; other += _batchSize)
        {
            var fits = -1;
            for (var i = other; i < other + _batchSize && fits != -2; i++)
            {
                if (_imageOfRow[rows[i]] == image) fits = -2;
                else if (fits == -1 && !own.Contains(_imageOfRow[rows[i]])) fits = i;
            }
            if (fits < 0) continue;
            (rows[place], rows[fits]) = (rows[fits], rows[place]);
            return true;
        }
        return false;
    }
}
