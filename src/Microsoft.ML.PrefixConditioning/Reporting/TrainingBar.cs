using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Shows how far training is: one line that is rewritten, or a line per tenth where output goes to a file.</summary>
/// <param name="title">What is trained.</param>
/// <param name="output">Where to write.</param>
/// <param name="width">Columns of the terminal, whose line can be rewritten; null where there is none.</param>
internal sealed class TrainingBar(string title, TextWriter output, Func<int?> width) : IProgress<TrainingProgress>
{
    private const int Cells = 24, NarrowCells = 10, NarrowTerminal = 80, SmallestTerminal = 20;
    private const int TerminalMilliseconds = 100;   // rewriting more often only costs time

    private long _lastShown = long.MinValue;
    private int _lastStep, _lastTenth, _lastLength;

#pragma warning disable RS0030 // The bar is for the console; everything else reports through channels and callbacks.
    /// <summary>A bar on the console, whose width may change at any time.</summary>
    public static TrainingBar OnConsole(string title) => new(title, Console.Out, ConsoleWidth);

    private static int? ConsoleWidth()
    {
        try
        {
            return Console.IsOutputRedirected || Console.WindowWidth < SmallestTerminal ? null : Console.WindowWidth;
        }
        catch (Exception e) when (e is IOException or PlatformNotSupportedException)
        {
            return null;   // there is no window to ask
        }
    }
#pragma warning restore RS0030

    /// <inheritdoc/>
    public void Report(TrainingProgress value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Step <= _lastStep) (_lastTenth, _lastLength) = (0, 0);   // another run
        _lastStep = value.Step;
        if (width() is { } columns) Rewrite(value, columns);
        else AddLine(value);
    }

    private void Rewrite(TrainingProgress value, int columns)
    {
        var (now, isDone) = (Environment.TickCount64, value.Step >= value.TotalSteps);
        if (!isDone && now - TerminalMilliseconds < _lastShown) return;
        _lastShown = now;
        var cells = columns < NarrowTerminal ? NarrowCells : Cells;
        var filled = (int)((long)cells * value.Step / Math.Max(1, value.TotalSteps));
        var line = $"{title} [{new string('#', filled)}{new string('.', cells - filled)}] {Percent(value)}  {Details(value)}";
        if (line.Length >= columns) line = line[..(columns - 1)];   // a line that wraps could not be written over
        output.Write('\r' + line.PadRight(Math.Min(_lastLength, columns - 1)));
        _lastLength = line.Length;
        if (isDone) output.WriteLine();
        output.Flush();
    }

    private void AddLine(TrainingProgress value)
    {
        var tenth = (int)(10L * value.Step / Math.Max(1, value.TotalSteps));
        if (tenth <= _lastTenth) return;
        _lastTenth = tenth;
        output.WriteLine($"{title} {Percent(value)}  {Details(value)}");
        output.Flush();
    }

    private static string Percent(TrainingProgress value) =>
        string.Create(CultureInfo.InvariantCulture, $"{100L * value.Step / Math.Max(1, value.TotalSteps),3} %");

    private static string Details(TrainingProgress value) => string.Create(CultureInfo.InvariantCulture,
        $"step {value.Step}/{value.TotalSteps}  epoch {value.Epoch}/{value.TotalEpochs}  loss {value.Loss:0.000}  " +
        $"rate {value.LearningRate:0.0e+0}  {value.ImagesPerSecond:0} images/s  {Left(value.TimeLeft)} left" +
        $"{(value.ValidationAccuracy is { } accuracy ? $"  validation {100 * accuracy:0.0} %" : "")}");

    private static string Left(TimeSpan time) => time.TotalHours < 1
        ? string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}:{time.Seconds:00}")
        : string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}");
}
