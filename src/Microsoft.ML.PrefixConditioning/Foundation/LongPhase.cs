using System.Globalization;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A phase that can take long: canceled, it ends with the unit of work at hand; it logs how far it is. Thread-safe.</summary>
internal sealed class LongPhase : IDisposable
{
    /// <summary>Time between two lines of the log.</summary>
    public static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(10);

    private readonly IHostEnvironment _environment;
    private readonly string _units;
    private readonly long _interval;
    private long _done, _nextLine;

    /// <param name="environment">Whose log is written; if it is canceled, so is the phase.</param>
    /// <param name="name">The phase, as the log names it.</param>
    /// <param name="units">What is counted, such as "rows".</param>
    /// <param name="interval">Time between two lines of the log; null for <see cref="LogInterval"/>.</param>
    public LongPhase(IHostEnvironment environment, string name, string units, TimeSpan? interval = null)
    {
        (_environment, _units) = (environment, units);
        _interval = (long)(interval ?? LogInterval).TotalMilliseconds;
        _nextLine = Environment.TickCount64 + _interval;
        Channel = environment.Start(name);
    }

    /// <summary>The log.</summary>
    public IChannel Channel { get; }

    /// <summary>Counts units of work that are done.</summary>
    /// <param name="count">Their number.</param>
    /// <exception cref="OperationCanceledException">The environment was canceled.</exception>
    public void Advance(int count = 1)
    {
        var (done, now, due) = (Interlocked.Add(ref _done, count), Environment.TickCount64, Volatile.Read(ref _nextLine));
        if (now >= due && Interlocked.CompareExchange(ref _nextLine, now + _interval, due) == due)
            Channel.Info(MessageSensitivity.None, "{0}", string.Create(CultureInfo.InvariantCulture, $"{done:N0} {_units} so far."));
        _environment.CheckAlive();
    }

    /// <inheritdoc/>
    public void Dispose() => Channel.Dispose();
}
