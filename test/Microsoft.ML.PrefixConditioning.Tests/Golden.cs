namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Files with numbers of the reference implementations. A missing file fails the test.</summary>
internal static class Golden
{
    /// <summary>Path of a golden file in the test's output folder.</summary>
    public static string Path(params string[] parts)
    {
        var path = System.IO.Path.Combine([AppContext.BaseDirectory, "golden", .. parts]);
        if (!System.IO.File.Exists(path) && !System.IO.Directory.Exists(path))
            throw new AssertFailedException($"The golden file '{path}' is missing. It belongs to the test project: see test/golden.");
        return path;
    }
}
