namespace Microsoft.ML.PrefixConditioning;

/// <summary>Keeps native memory alive while threads use it: disposing takes effect when the last use ends.</summary>
/// <param name="owner">What messages call the disposed object.</param>
/// <param name="free">Frees the memory; called once.</param>
/// <remarks>
/// libtorch does not check whether a tensor is freed while another thread computes with it; without this, disposing a model that
/// still scores would end the process instead of giving an exception.
/// </remarks>
internal sealed class UseCount(string owner, Action free) : IDisposable
{
    private readonly Lock _gate = new();
    private int _uses;
    private bool _disposed;

    /// <summary>Begins a use; disposing the result ends it.</summary>
    /// <exception cref="ObjectDisposedException">The object was disposed.</exception>
    public Use Begin()
    {
        lock (_gate)
        {
            if (_disposed)
                throw new ObjectDisposedException(owner,
                    $"The {owner} was disposed. Dispose it only when nothing uses it any more; a prediction engine disposes its " +
                    "transformer with itself unless PredictionEngineOptions.OwnsTransformer is false.");
            _uses++;
            return new Use(this);
        }
    }

    /// <summary>Refuses new uses and frees the memory, at once or with the end of the last use. Further calls do nothing.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            if (_uses > 0) return;
        }
        free();
    }

    private void End()
    {
        lock (_gate)
            if (--_uses > 0 || !_disposed) return;
        free();
    }

    /// <summary>One use.</summary>
    public readonly struct Use(UseCount count) : IDisposable
    {
        /// <summary>Ends the use.</summary>
        public void Dispose() => count.End();
    }
}
