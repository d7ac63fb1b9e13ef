namespace Microsoft.ML.PrefixConditioning;

/// <summary>Receives data over a network that can be slow, cut off or overloaded.</summary>
internal static class Transfer
{
    private const int MaxPauseSeconds = 60;
    private static readonly TimeSpan StallTime = TimeSpan.FromSeconds(60);

    /// <summary>Reads the next bytes.</summary>
    /// <returns>Their number; 0 at the end.</returns>
    /// <exception cref="IOException">Reading failed, or nothing came for a minute.</exception>
    public static async Task<int> Read(Stream content, Memory<byte> buffer, CancellationToken cancellation)
    {
        using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        stall.CancelAfter(StallTime);
        try
        {
            return await content.ReadAsync(buffer, stall.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new IOException($"nothing came for {StallTime.TotalSeconds} seconds.", e);
        }
    }

    /// <summary>Repeats what fails for a while, with growing pauses, as long as it makes progress.</summary>
    /// <param name="action">What is done.</param>
    /// <param name="passes">Whether a failure may pass.</param>
    /// <param name="progress">A number that grows with progress, which starts the count of attempts again; null for none.</param>
    /// <param name="attempts">The most attempts without progress.</param>
    /// <param name="firstPause">The pause before the second attempt. Each following one is twice as long, a minute at most.</param>
    /// <param name="cancellation">Ends the pauses.</param>
    /// <param name="askedPause">The pause that a failure asks for, if it is longer; null for none.</param>
    public static async Task<T> Repeatedly<T>(Func<Task<T>> action, Func<Exception, bool> passes, Func<long>? progress, int attempts,
        TimeSpan firstPause, CancellationToken cancellation, Func<Exception, TimeSpan?>? askedPause = null)
    {
        var (pause, best) = (firstPause, progress?.Invoke() ?? 0);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await action().ConfigureAwait(false);
            }
            catch (Exception e) when (attempt < attempts && !cancellation.IsCancellationRequested && passes(e))
            {
                var wait = askedPause?.Invoke(e) is { } asked && asked > pause ? asked : pause;
                await Task.Delay(wait.TotalSeconds < MaxPauseSeconds ? wait : TimeSpan.FromSeconds(MaxPauseSeconds), cancellation)
                    .ConfigureAwait(false);
                if (progress?.Invoke() is { } now && now > best) (attempt, pause, best) = (0, firstPause, now);
                else pause *= 2;
            }
        }
    }
}
