using System.Runtime.InteropServices;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A view of the same number of random rows of every class.</summary>
internal sealed class PerClassSample : IDataView
{
    private const ulong SamplePurpose = 14;

    private readonly IDataView _source;
    private readonly HashSet<long> _rows;   // positions in the source, from 0

    private PerClassSample(IDataView source, HashSet<long> rows) => (_source, _rows) = (source, rows);

    /// <inheritdoc/>
    /// <remarks>A shuffled source would have other rows at the drawn positions.</remarks>
    public bool CanShuffle => false;

    /// <inheritdoc/>
    public DataViewSchema Schema => _source.Schema;

    /// <inheritdoc/>
    public long? GetRowCount() => _rows.Count;

    /// <summary>Reads the labels and draws the rows.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The label column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">No row has a label, or a class has fewer rows than requested.</exception>
    public static PerClassSample Draw(IChannel channel, IDataView source, int count, string labelColumn, int seed)
    {
        var byClass = RowsByClass(channel, source, labelColumn);
        if (byClass.Count == 0)
            throw new InvalidDataException($"No row has a label in column '{labelColumn}'; pass labeled rows.");
        string[] small = [.. byClass.Where(c => c.Value.Count < count).Select(c => $"{c.Key} ({c.Value.Count})")
            .Order(StringComparer.Ordinal)];
        if (small.Length > 0)
            throw new InvalidDataException(
                $"{count} row(s) per class were requested, but {small.Length} of {byClass.Count} class(es) have fewer: " +
                $"{NearName.List(small)}. Request at most {byClass.Min(c => c.Value.Count)}, or remove these classes.");
        var chosen = new HashSet<long>();
        // In the classes' ordinal order, so that the order of rows of different classes changes nothing.
        foreach (var (place, name) in byClass.Keys.Order(StringComparer.Ordinal).Index())
        {
            var random = SeededRandom.Derive((ulong)seed, SamplePurpose, (ulong)place);
            random.Shuffle(CollectionsMarshal.AsSpan(byClass[name]));
            chosen.UnionWith(byClass[name].Take(count));
        }
        return new PerClassSample(source, chosen);
    }

    /// <inheritdoc/>
    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        new Cursor(_source.GetRowCursor(columnsNeeded), _rows);

    /// <inheritdoc/>
    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private static Dictionary<string, List<long>> RowsByClass(IChannel channel, IDataView source, string labelColumn)
    {
        var column = ColumnReader.RequireTextOrKey(source.Schema, labelColumn, "labelColumnName");
        var byClass = new Dictionary<string, List<long>>(StringComparer.Ordinal);
        var classes = byClass.GetAlternateLookup<ReadOnlySpan<char>>();
        using var cursor = source.GetRowCursor([column]);
        var getter = ColumnReader.TextGetter(cursor, column);
        ReadOnlyMemory<char> label = default;
        long row = 0, unlabeled = 0, firstUnlabeled = 0;
        for (; cursor.MoveNext(); row++)
        {
            getter(ref label);
            if (label.Span.IsWhiteSpace())
            {
                if (unlabeled++ == 0) firstUnlabeled = row + 1;
                continue;
            }
            if (!classes.TryGetValue(label.Span, out var rows))
            {
                var name = CanonicalComposition.Compose(label.ToString());   // one class, however a file system composes its name
                if (!byClass.TryGetValue(name, out rows)) byClass.Add(name, rows = []);
            }
            rows.Add(row);
        }
        if (unlabeled > 0)
            channel.Warning(MessageSensitivity.None, "{0}",
                $"{unlabeled} of {row} row(s) have no label in column '{labelColumn}' and were skipped, such as row {firstUnlabeled}.");
        return byClass;
    }

    private sealed class Cursor(DataViewRowCursor source, HashSet<long> rows) : DataViewRowCursor
    {
        private long _sourceRow = -1, _position = -1;

        public override DataViewSchema Schema => source.Schema;
        public override long Position => _position;
        public override long Batch => source.Batch;

        public override bool MoveNext()
        {
            while (source.MoveNext())
            {
                if (!rows.Contains(++_sourceRow)) continue;
                _position++;
                return true;
            }
            _position = -1;
            return false;
        }

        public override bool IsColumnActive(DataViewSchema.Column column) => source.IsColumnActive(column);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => source.GetGetter<TValue>(column);

        public override ValueGetter<DataViewRowId> GetIdGetter() => source.GetIdGetter();

        protected override void Dispose(bool disposing)
        {
            if (disposing) source.Dispose();
            base.Dispose(disposing);
        }
    }
}
