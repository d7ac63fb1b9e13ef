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

    private readonly byte[] _datasetTypes;
    private readonly int[] _rowCounts;         // rows of each stream: a dataset type, or all rows
    private readonly double[] _cumulative;     // upper ends of the streams' shares of [0, 1)
    private readonly int[]? _parts;            // of a weighted union: rows of each dataset type in one pass
    private readonly ImageSeparation _images;
    private readonly int _batchSize;
    private readonly ulong _seed;

    /// <param name="datasetTypes">Dataset type of every row, from 0.</param>
    /// <param name="imageOfRow">A number for every row's image; rows of one image have the same.</param>
    /// <param name="composition">Batches of one dataset type, or of the union.</param>
    /// <param name="weights">How often each type's batches, or in mixed batches its rows, are drawn; or null for the types' row
    /// counts.</param>
    /// <param name="batchSize">Rows in a batch; every stream has at least as many.</param>
    /// <param name="seed">Seed of the run.</param>
    public BatchSampler(byte[] datasetTypes, int[] imageOfRow, BatchComposition composition, IReadOnlyList<double>? weights, int batchSize,
        ulong seed)
    {
        (_datasetTypes, _batchSize, _seed) = (datasetTypes, batchSize, seed);
        var counts = new int[datasetTypes.Max() + 1];
        foreach (var type in datasetTypes) counts[type]++;
        var shares = counts.Select((count, i) => weights?[i] ?? count).ToArray();
        var sum = shares.Sum();
        double[] cumulative = [.. shares.Select((_, i) => shares.Take(i + 1).Sum() / sum)];
        (_rowCounts, _cumulative) = composition == BatchComposition.Mixed ? ([datasetTypes.Length], [1]) : (counts, cumulative);
        if (composition == BatchComposition.Mixed && weights is not null)
        {
            var ends = cumulative.Select(c => (int)Math.Round(c * datasetTypes.Length)).ToArray();
            _parts = [.. ends.Select((end, i) => end - (i == 0 ? 0 : ends[i - 1]))];
        }
        _images = new ImageSeparation(imageOfRow, rowsRepeat: _parts is not null);
        StepsPerEpoch = Math.Max(1, datasetTypes.Length / batchSize);
    }

    /// <summary>Full batches that fit into the rows.</summary>
    public int StepsPerEpoch { get; }

    /// <summary>The rows of each batch, from a step on, without end.</summary>
    /// <param name="firstStep">Steps done before, from 0.</param>
    /// <param name="cancellation">Stops the work.</param>
    public IEnumerable<int[]> Batches(int firstStep, CancellationToken cancellation = default)
    {
        var drawn = new long[_rowCounts.Length];   // batches taken from each stream so far
        var orders = new (long Pass, int[]? Rows)[_rowCounts.Length];
        for (var step = 0; ; step++)
        {
            var stream = StreamOf(step);
            var number = drawn[stream]++;
            if (step < firstStep) continue;
            var batchesPerPass = _rowCounts[stream] / _batchSize;
            var (pass, place) = (number / batchesPerPass, (int)(number % batchesPerPass));
            if (orders[stream].Rows is null || orders[stream].Pass != pass)
            {
                orders[stream].Rows = null;   // memory for the next order
                orders[stream] = (pass, Order(stream, pass, cancellation));
            }
            yield return orders[stream].Rows.AsSpan(place * _batchSize, _batchSize).ToArray();
        }
    }

    private int StreamOf(int step)
    {
        if (_rowCounts.Length == 1) return 0;
        var random = SeededRandom.Derive(_seed, TypePurpose, (ulong)step);
        var at = random.NextDouble();
        var stream = 0;
        while (stream < _rowCounts.Length - 1 && at >= _cumulative[stream]) stream++;
        return stream;
    }

    private int[] Order(int stream, long pass, CancellationToken cancellation)
    {
        int[] rows = _parts is null ? RowsOf(_rowCounts.Length == 1 ? null : stream)
            : [.. _parts.SelectMany((count, type) => Part(type, count, pass, cancellation))];
        Shuffle(rows, stream, pass, cancellation);
        _images.Apply(rows, _batchSize, cancellation);
        return rows;
    }

    /// <summary>One type's rows for a pass; how often two rows occur differs by at most one.</summary>
    private IEnumerable<int> Part(int type, int count, long pass, CancellationToken cancellation)
    {
        var rows = RowsOf(type);
        var (cycle, place) = Math.DivRem(pass * count, rows.Length);
        var order = Shuffle([.. rows], type + 1, cycle, cancellation);
        for (var i = 0; i < count; i++)
        {
            if (place == rows.Length) (order, place) = (Shuffle([.. rows], type + 1, ++cycle, cancellation), 0);
            yield return order[place++];
        }
    }

    /// <summary>The rows of one dataset type, or all.</summary>
    private int[] RowsOf(int? type)
    {
        var rows = new int[type is null ? _datasetTypes.Length : _datasetTypes.AsSpan().Count((byte)type)];
        for (int row = 0, place = 0; place < rows.Length; row++)
            if (type is null || _datasetTypes[row] == type) rows[place++] = row;
        return rows;
    }

    private int[] Shuffle(int[] rows, int stream, long pass, CancellationToken cancellation)
    {
        var random = SeededRandom.Derive(_seed, OrderPurpose, (ulong)stream, (ulong)pass);
        random.Shuffle(rows.AsSpan(), cancellation);
        return rows;
    }
}
