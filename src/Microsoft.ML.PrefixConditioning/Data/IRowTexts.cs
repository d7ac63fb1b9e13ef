namespace Microsoft.ML.PrefixConditioning;

/// <summary>The texts of a source's rows as one cursor reads them.</summary>
internal interface IRowTexts : IDisposable
{
    /// <summary>The text of a row and column; null if it is missing.</summary>
    string? Text(int row, int column);
}
