namespace Microsoft.ML.PrefixConditioning;

/// <summary>Names of the four columns of every dataset source.</summary>
internal sealed record SourceColumns(string Image, string Text, string DatasetType, string Label)
{
    /// <summary>The column with the weights of rows, which sources lack and views may have.</summary>
    public string Weight { get; init; } = "Weight";

    /// <summary>The four names, in the order of a source's columns.</summary>
    public string[] Names() => [Image, Text, DatasetType, Label];

    /// <summary>Checks that the four names differ.</summary>
    /// <exception cref="ArgumentException">A name is empty, or two are equal.</exception>
    public SourceColumns Checked()
    {
        var names = Names();
        if (names.Any(string.IsNullOrWhiteSpace))
            throw new ArgumentException($"One of the column names ({NearName.List(names)}) is empty; " +
                "give the image, text, dataset type and label column a name each.");
        if (names.Distinct(StringComparer.Ordinal).Count() < names.Length)
            throw new ArgumentException($"The column names {NearName.List(names)} must differ: image, text, dataset type and label " +
                "are four columns.");
        if (string.IsNullOrWhiteSpace(Weight) || names.Contains(Weight, StringComparer.Ordinal))
            throw new ArgumentException($"The weight column's name {NearName.Quoted(Weight)} is empty or that of another column; give it " +
                "a name of its own.");
        return this;
    }
}
