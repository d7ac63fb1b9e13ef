namespace Microsoft.ML.PrefixConditioning;

/// <summary>Getters of rows that have the input's columns first and the added ones after them.</summary>
internal static class AddedColumnGetter
{
    /// <summary>The getter of a column, from the input or from the mapper.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The column is not active.</exception>
    /// <exception cref="InvalidOperationException">The column has another type.</exception>
    public static ValueGetter<TValue> Create<TValue>(
        ScoringMapper mapper, DataViewSchema.Column column, bool[] active, DataViewRow input, EncodedRow encoded, LabelCount? labels)
    {
        if (column.Index >= active.Length || !active[column.Index])
            throw new ArgumentOutOfRangeException(nameof(column),
                $"Column '{column.Name}' is not active in this cursor; name it when the cursor is created.");
        if (column.Index < mapper.InputSchema.Count) return input.GetGetter<TValue>(mapper.InputSchema[column.Index]);
        return mapper.CreateGetter(column.Index - mapper.InputSchema.Count, input, encoded, labels) as ValueGetter<TValue>
            ?? throw new InvalidOperationException(
                $"Column '{column.Name}' is {column.Type}; its values cannot be read as {typeof(TValue)}.");
    }
}
