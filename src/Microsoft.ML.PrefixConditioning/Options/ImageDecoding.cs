namespace Microsoft.ML.PrefixConditioning;

/// <summary>How image files are decoded.</summary>
public enum ImageDecoding
{
    /// <summary>Applies the EXIF orientation and composites transparency over white.</summary>
    Upright,

    /// <summary>As open_clip does: ignores the EXIF orientation and drops the alpha channel.</summary>
    OpenClip,
}
