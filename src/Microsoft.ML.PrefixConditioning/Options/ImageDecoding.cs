namespace Microsoft.ML.PrefixConditioning;

/// <summary>How image files are read.</summary>
public enum ImageDecoding
{
    /// <summary>Turned upright by the EXIF orientation, transparency laid over white.</summary>
    Upright,

    /// <summary>As open_clip does after converting to RGB: EXIF orientation ignored, the alpha channel dropped.</summary>
    OpenClip,
}
