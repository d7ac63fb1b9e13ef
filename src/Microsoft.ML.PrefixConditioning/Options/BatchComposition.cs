namespace Microsoft.ML.PrefixConditioning;

/// <summary>Which rows form a batch.</summary>
public enum BatchComposition
{
    /// <summary>Every batch holds rows of one dataset type only.</summary>
    PerDatasetType,

    /// <summary>Rows are drawn from the union of all types: the naive baseline.</summary>
    Mixed,
}
