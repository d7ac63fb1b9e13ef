namespace Microsoft.ML.PrefixConditioning;

/// <summary>What to do with a row that cannot be used.</summary>
public enum BadRowPolicy
{
    /// <summary>Stop with an error that names the row and its image.</summary>
    Fail,

    /// <summary>Leave the row out of training and count it. In scoring, an image that cannot be read gives missing values.</summary>
    Skip,
}
