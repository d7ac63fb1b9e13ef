using System.Runtime.InteropServices;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Draws the same number of random rows of every class.</summary>
internal static class PerClassSample
{
    private const ulong SamplePurpose = 14;

    /// <summary>Reads the labels and draws the rows.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The label column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">No row has a label, or a class has fewer rows than requested.</exception>
    public static RowSelection Draw(IChannel channel, IDataView source, int count, string labelColumn, int seed)
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
        return new RowSelection(source, chosen.Contains, chosen.Count);
    }

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
}
