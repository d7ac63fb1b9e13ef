namespace Microsoft.ML.PrefixConditioning;

/// <summary>What to do with an image that cannot be read.</summary>
public enum BadImagePolicy
{
    /// <summary>Stop with an error that names the row and the image.</summary>
    Fail,

    /// <summary>Leave the row out of training and count it; in scoring, give missing values.</summary>
    Skip,
}
