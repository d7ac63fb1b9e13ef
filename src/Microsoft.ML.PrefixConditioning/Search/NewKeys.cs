using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The rows of a view whose keys an index does not have, each key once.</summary>
/// <param name="Keys">Their keys.</param>
/// <param name="Rows">The view of these rows, in the same order.</param>
/// <param name="RowCount">Number of rows with any key.</param>
internal sealed record NewKeys(IReadOnlyList<string> Keys, IDataView Rows, long RowCount)
{
    /// <summary>Reads the keys alone.</summary>
    /// <exception cref="InvalidDataException">A key is empty.</exception>
    /// <exception cref="OperationCanceledException">The token or the phase was canceled.</exception>
    public static NewKeys Read(
        IDataView data, DataViewSchema.Column column, IReadOnlySet<string> known, LongPhase phase, CancellationToken cancellation)
    {
        var (keys, isNew) = (new List<string>(), new List<bool>());
        var own = new HashSet<string>(StringComparer.Ordinal);
        using var cursor = data.GetRowCursor([column]);
        var getter = ColumnReader.TextGetter(cursor, column);
        ReadOnlyMemory<char> text = default;
        while (cursor.MoveNext())
        {
            cancellation.ThrowIfCancellationRequested();
            phase.Advance(0);
            getter(ref text);
            if (text.Span.IsWhiteSpace())
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"Row {isNew.Count + 1}: the key in column ") +
                    $"'{column.Name}' is empty; every row needs a key. Remove the row, or name another column.");
            var key = text.ToString();
            isNew.Add(!known.Contains(key) && own.Add(key));
            if (isNew[^1]) keys.Add(key);
        }
        return new NewKeys(keys, new RowSelection(data, row => isNew[(int)row], keys.Count), isNew.Count);
    }
}
