using System.Globalization;

namespace Samples;

/// <summary>Shows how far a long step is: one line that is rewritten, or a line per tenth where output goes to a file.</summary>
internal sealed class ProgressBar
{
    private const int Width = 24;
    private const int TerminalMilliseconds = 100;   // rewriting more often only costs time

    private readonly TextWriter _output;
    private readonly bool _rewrites;
    private readonly string _title;
    private long _lastShown = long.MinValue;
    private int _lastTenth;
    private int _lastLength;
    private bool _ended;

    /// <summary>A progress bar on the console.</summary>
    /// <param name="title">What is being done.</param>
    public ProgressBar(string title)
        : this(title, Console.Out, rewrites: !Console.IsOutputRedirected)
    {
    }

    /// <summary>A progress bar on any writer.</summary>
    /// <param name="title">What is being done.</param>
    /// <param name="output">Where to write.</param>
    /// <param name="rewrites">True for a terminal, where a line can be written over.</param>
    public ProgressBar(string title, TextWriter output, bool rewrites) => (_title, _output, _rewrites) = (title, output, rewrites);

    /// <summary>Shows a share of the work; the line ends when everything is done.</summary>
    /// <param name="share">What is done, 0 to 1.</param>
    /// <param name="details">More about where it stands.</param>
    public void Show(double share, string details = "")
    {
        if (_ended) return;
        share = Math.Clamp(share, 0, 1);
        var done = share >= 1;
        if (_rewrites) Rewrite(share, details, done);
        else AddLine(share, details);
        _ended = done;
    }

    private void Rewrite(double share, string details, bool done)
    {
        var now = Environment.TickCount64;
        if (!done && now - TerminalMilliseconds < _lastShown) return;
        _lastShown = now;
        var filled = (int)(share * Width);
        var line = $"{_title} [{new string('#', filled)}{new string('.', Width - filled)}] {Percent(share)}  {details}";
        // A line that wraps could not be written over.
        if (TerminalWidth() is { } room && line.Length >= room) line = line[..(room - 1)];
        _output.Write('\r' + line.PadRight(_lastLength));
        _lastLength = line.Length;
        if (done) _output.WriteLine();
    }

    private void AddLine(double share, string details)
    {
        var tenth = (int)(share * 10);
        if (tenth <= _lastTenth) return;
        _lastTenth = tenth;
        _output.WriteLine($"{_title} {Percent(share)}  {details}".TrimEnd());
    }

    private static string Percent(double share) => (100 * share).ToString("0", CultureInfo.InvariantCulture).PadLeft(3) + " %";

    private static int? TerminalWidth()
    {
        try
        {
            return Console.IsOutputRedirected || Console.WindowWidth < 20 ? null : Console.WindowWidth;
        }
        catch (Exception e) when (e is IOException or PlatformNotSupportedException)
        {
            return null;   // there is no window to ask
        }
    }
}
