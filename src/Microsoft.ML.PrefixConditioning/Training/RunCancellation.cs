using System.Runtime.InteropServices;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>All that can stop a run, as one token: the token of the options, ML.NET's environment and, if wanted, signals.</summary>
internal sealed class RunCancellation : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);   // ML.NET's environment can only be asked

    private readonly CancellationTokenSource _source;
    private readonly Timer _timer;
    private readonly PosixSignalRegistration[] _signals = [];

    public RunCancellation(IHostEnvironment environment, PrefixClipOptions options)
    {
        _source = CancellationTokenSource.CreateLinkedTokenSource(options.CancellationToken);
        _timer = new Timer(_ =>
        {
            if (environment is ICancelable { IsCanceled: true }) Cancel();
        }, null, TimeSpan.Zero, Interval);
        if (!options.Checkpoints.StopOnSignal) return;
        _signals = Array.ConvertAll([PosixSignal.SIGTERM, PosixSignal.SIGINT], signal => PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;   // the process does not end by itself
            Cancel();
        }));
    }

    /// <summary>Canceled by any of them.</summary>
    public CancellationToken Token => _source.Token;

    private void Cancel()
    {
        try
        {
            _source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The run ended in this moment.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
        _timer.Dispose();
        _source.Dispose();
    }
}
