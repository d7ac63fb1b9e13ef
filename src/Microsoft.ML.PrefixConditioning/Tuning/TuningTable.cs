using System.Text;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The finished trials of a search: in memory, and with a folder also in a file with one line of JSON each.</summary>
/// <remarks>The first line says whose trials these are. A line that a killed process left unfinished is dropped.</remarks>
internal sealed class TuningTable : IDisposable
{
    private const string FileName = "trials.jsonl";

    private readonly List<TuningTrial> _trials = [];
    private readonly FileStream? _file;

    /// <param name="folder">Created if it does not exist; null for a table in memory.</param>
    /// <param name="search">Equal for equal searches.</param>
    /// <exception cref="IOException">The folder cannot be written to, or another process uses it.</exception>
    /// <exception cref="InvalidDataException">The file has the trials of another search, or is damaged.</exception>
    public TuningTable(string? folder, string search)
    {
        if (folder is null) return;
        var path = Path.Combine(folder, FileName);
        try
        {
            Directory.CreateDirectory(folder);
            _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            Read(path, search);
        }
        catch (Exception e)
        {
            _file?.Dispose();
            if (e is UnauthorizedAccessException or IOException)
                throw new IOException($"'{path}' cannot be used: {e.Message} Set {nameof(TuningOptions)}.{nameof(TuningOptions.Folder)} " +
                    "to a folder that this process can write to and no other search uses.", e);
            throw;
        }
    }

    /// <summary>The trials in the order in which they ended.</summary>
    public IReadOnlyList<TuningTrial> Trials => _trials;

    /// <summary>Adds a finished trial.</summary>
    public void Add(TuningTrial trial)
    {
        _trials.Add(trial);
        WriteLine(JsonSerializer.Serialize(trial));
    }

    private void Read(string path, string search)
    {
        var bytes = new byte[_file!.Length];
        _file.ReadExactly(bytes);
        var end = bytes.AsSpan().LastIndexOf((byte)'\n') + 1;
        _file.SetLength(end);   // without an unfinished line
        string[] lines = Encoding.UTF8.GetString(bytes, 0, end).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length == 0)
        {
            WriteLine(JsonSerializer.Serialize(new Header(search)));
            return;
        }
        var number = 1;
        try
        {
            if (JsonSerializer.Deserialize<Header>(lines[0])?.Search != search)
                throw new InvalidDataException($"'{path}' has the trials of another search: options, {nameof(TuningOptions)} or number " +
                    $"of rows were different. Set {nameof(TuningOptions.Folder)} to another folder, or delete the file.");
            for (; number < lines.Length; number++)
                _trials.Add(JsonSerializer.Deserialize<TuningTrial>(lines[number]) ?? throw new JsonException("The line is null."));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"Line {number + 1} of '{path}' is damaged: {e.Message} Delete the line, or the file.", e);
        }
    }

    private void WriteLine(string line)
    {
        if (_file is null) return;
        _file.Write(Encoding.UTF8.GetBytes($"{line}\n"));
        _file.Flush(flushToDisk: true);
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private sealed record Header(string Search);
}
