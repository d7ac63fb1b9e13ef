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
    private readonly RowWeights? _rowWeights;
    private readonly int _groupsPerType;       // a group: the rows of one dataset type and one weight
    private readonly int[] _groupSizes;
    private readonly int[]? _draws;            // where groups have weights: rows of each in one pass of its stream
    private readonly ImageSeparation _images;
    private readonly ShuffleWindows? _windows;
    private readonly int _batchSize;
    private readonly ulong _seed;

    /// <param name="datasetTypes">Dataset type of every row, from 0.</param>
    /// <param name="imageOfRow">A number for every row's image; rows of one image have the same.</param>
    /// <param name="composition">Batches of one dataset type, or of the union.</param>
    /// <param name="weights">How often each type's batches, or in mixed batches its rows, are drawn; or null for the types' row
    /// counts.</param>
    /// <param name="batchSize">Rows in a batch; every stream has at least as many.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="rowWeights">How often each row is drawn, relative to the others of its type; or null for alike.</param>
    /// <param name="windows">Shuffles a stream's rows in windows of files; or null for all of them together.</param>
    public BatchSampler(byte[] datasetTypes, int[] imageOfRow, BatchComposition composition, IReadOnlyList<double>? weights, int batchSize,
        ulong seed, RowWeights? rowWeights = null, ShuffleWindows? windows = null)
    {
        (_datasetTypes, _batchSize, _seed, _rowWeights, _windows) = (datasetTypes, batchSize, seed, rowWeights, windows);
        _groupsPerType = rowWeights?.Values.Count ?? 1;
        _groupSizes = new int[(datasetTypes.Max() + 1) * _groupsPerType];
        for (var row = 0; row < datasetTypes.Length; row++) _groupSizes[GroupOf(row)]++;
        int[] counts = [.. _groupSizes.Chunk(_groupsPerType).Select(sizes => sizes.Sum())];   // by type
        var shares = counts.Select((count, i) => weights?[i] ?? count).ToArray();
        var sum = shares.Sum();
        var mixed = composition == BatchComposition.Mixed;
        double[] cumulative = [.. shares.Select((_, i) => shares.Take(i + 1).Sum() / sum)];
        (_rowCounts, _cumulative) = mixed ? ([datasetTypes.Length], [1]) : (counts, cumulative);
        if (rowWeights is not null || (mixed && weights is not null)) _draws = Draws(shares);
        _images = new ImageSeparation(imageOfRow, rowsRepeat: _draws is not null);
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
        int[] rows = _draws is null ? RowsOf(_rowCounts.Length == 1 ? null : stream)
            : [.. GroupsOf(stream).SelectMany(group => Part(group, pass, cancellation))];
        Shuffle(rows, stream, pass, cancellation, _windows);
        _images.Apply(rows, _batchSize, cancellation);
        return rows;
    }

    /// <summary>Rows of each group in one pass of its stream: by weight, and at least one.</summary>
    private int[] Draws(double[] typeShares)
    {
        var shares = new double[_groupSizes.Length];
        for (var type = 0; type < typeShares.Length; type++)
        {
            var groups = Enumerable.Range(type * _groupsPerType, _groupsPerType).ToArray();
            double Weighted(int group) => _groupSizes[group] * (double)(_rowWeights?.Values[group - groups[0]] ?? 1);
            var ofType = groups.Sum(Weighted);
            foreach (var group in groups) shares[group] = ofType == 0 ? 0 : typeShares[type] * (Weighted(group) / ofType);
        }
        var draws = new int[shares.Length];
        for (var stream = 0; stream < _rowCounts.Length; stream++)
        {
            int[] groups = [.. GroupsOf(stream).Where(group => _groupSizes[group] > 0)];
            var (sum, reached, end) = (groups.Sum(group => shares[group]), 0.0, 0);
            for (var i = 0; i < groups.Length; i++)
            {
                reached += shares[groups[i]];
                var next = Math.Clamp((int)Math.Round(reached / sum * _rowCounts[stream]), end + 1,
                    _rowCounts[stream] - (groups.Length - 1 - i));
                (draws[groups[i]], end) = (next - end, next);
            }
        }
        return draws;
    }

    private int GroupOf(int row) => _datasetTypes[row] * _groupsPerType + (_rowWeights?.Indexes[row] ?? 0);

    private IEnumerable<int> GroupsOf(int stream)
    {
        var count = _groupSizes.Length / _rowCounts.Length;
        return Enumerable.Range(stream * count, count);
    }

    /// <summary>One group's rows for a pass; how often two rows occur differs by at most one.</summary>
    private IEnumerable<int> Part(int group, long pass, CancellationToken cancellation)
    {
        if (_draws![group] == 0) yield break;
        var (rows, count, order) = (RowsOf(group), _draws[group], _rowCounts.Length + group);   // streams have the orders before
        var (cycle, place) = Math.DivRem(pass * count, rows.Length);
        var shuffled = Shuffle([.. rows], order, cycle, cancellation);
        for (var i = 0; i < count; i++)
        {
            if (place == rows.Length) (shuffled, place) = (Shuffle([.. rows], order, ++cycle, cancellation), 0);
            yield return shuffled[place++];
        }
    }

    /// <summary>The rows of one group, or all.</summary>
    private int[] RowsOf(int? group)
    {
        var rows = new int[group is { } one ? _groupSizes[one] : _datasetTypes.Length];
        for (int row = 0, place = 0; place < rows.Length; row++)
            if (group is null || GroupOf(row) == group) rows[place++] = row;
        return rows;
    }

    private int[] Shuffle(int[] rows, int stream, long pass, CancellationToken cancellation, ShuffleWindows? windows = null)
    {
        var random = SeededRandom.Derive(_seed, OrderPurpose, (ulong)stream, (ulong)pass);
        if (windows is null) random.Shuffle(rows.AsSpan(), cancellation);
        else windows.Shuffle(rows, ref random, cancellation);
        return rows;
    }
}
