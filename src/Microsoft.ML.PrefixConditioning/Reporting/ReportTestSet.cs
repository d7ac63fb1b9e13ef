namespace Microsoft.ML.PrefixConditioning;

/// <summary>A labeled test set for <see cref="PrefixClipReport.SaveReport"/>.</summary>
/// <param name="Name">Short name for headings and tables, such as "near".</param>
/// <param name="Data">Rows with an image, or an embedding from the model, and a label (text, or key with text key values). Embeddings give
/// a report without pictures.</param>
/// <param name="Classification">Class names and columns, of which the prefix is ignored. Null means the labels that occur are the classes,
/// and the model's own columns are read.</param>
public sealed record ReportTestSet(string Name, IDataView Data, ZeroShotClassificationOptions? Classification = null)
{
    /// <summary>A sentence about the images, such as where they come from.</summary>
    /// <value>Default null: none.</value>
    public string? Description { get; init; }
}
