namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>CLIP's own preprocessor, which most tests of pixels take.</summary>
internal static class ClipPreprocessor
{
    extension(ImagePreprocessor)
    {
        /// <summary>A preprocessor with CLIP's mean and standard deviation.</summary>
        public static ImagePreprocessor ForClip(int size) => ImagePreprocessor.For(size, ImageNormalization.Clip);
    }
}
