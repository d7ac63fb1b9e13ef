namespace Microsoft.ML.PrefixConditioning;

/// <summary>A file that one task of all processes holds at a time.</summary>
internal static class LockFile
{
    private const int PollMilliseconds = 200;

    /// <summary>Waits until nobody else holds the file, and keeps others away until the result is disposed.</summary>
    /// <exception cref="IOException">The file cannot be made.</exception>
    public static async Task<IDisposable> Acquire(string path, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
            }
            catch (IOException) when (File.Exists(path))
            {
                await Task.Delay(PollMilliseconds, cancellation).ConfigureAwait(false);
            }
        }
    }
}
