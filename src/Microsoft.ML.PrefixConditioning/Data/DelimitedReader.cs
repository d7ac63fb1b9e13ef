using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads a CSV or TSV table record by record, strictly: every fault is reported with its line.</summary>
/// <remarks>
/// Own code instead of a package: the two formats need a page, and an application that uses this package then has one
/// dependency less to agree with. With any separator but the tab, fields follow RFC 4180: a field that begins with a quote ends
/// at the next single one, may hold separators and line breaks, and doubles its quotes. With the tab, quotes are text, as
/// most caption files mean them; only a field that is quoted as a whole (<c>"a ""b"""</c>) loses its quotes, because spreadsheets and
/// data-frame libraries write such fields. Empty lines are passed over. UTF-8 with or without a byte order mark.
/// </remarks>
internal sealed class DelimitedReader : IDisposable
{
    /// <summary>Longest record in bytes; longer ones come from a quote that nobody closed, or from a file that is no table.</summary>
    private const int LongestRecord = 1 << 24;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly Stream _stream;
    private readonly string _name;
    private readonly char _separator;
    private readonly StringBuilder _field = new();
    private byte[] _buffer = new byte[1 << 16];
    private int _start, _end;
    private int _line;

    /// <param name="stream">Read from its position on, and disposed with the reader.</param>
    /// <param name="name">What messages call the table.</param>
    /// <param name="separator">Between two fields.</param>
    public DelimitedReader(Stream stream, string name, char separator)
    {
        if (separator is '"' or '\r' or '\n')
            throw new ArgumentException("A quote or a line break cannot separate fields; " +
                "use a comma, a tab or a semicolon.", nameof(separator));
        (_stream, _name, _separator) = (stream, name, separator);
    }

    /// <summary>The fields of the last record.</summary>
    public List<string> Fields { get; } = [];

    /// <summary>The line on which the last record began; the first is 1.</summary>
    public int Line { get; private set; }

    /// <summary>Reads the next record that is not empty.</summary>
    /// <returns>False at the end of the table.</returns>
    /// <exception cref="InvalidDataException">The text is not UTF-8, or a quote is wrong.</exception>
    public bool Read()
    {
        string? line;
        do line = NextLine();
        while (line is not null && line.AsSpan().TrimEnd('\r').IsEmpty);
        if (line is null) return false;
        Line = _line;
        Fields.Clear();
        if (_separator == '\t') SplitTabs(line);
        else SplitQuoted(line);
        return true;
    }

    /// <summary>An error about the last record.</summary>
    public InvalidDataException Fault(string what) => FaultAt(Line, what);

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private void SplitTabs(string line)
    {
        foreach (var range in line.AsSpan().TrimEnd('\r').Split('\t'))
        {
            var field = line[range];
            Fields.Add(IsQuotedAsAWhole(field) ? field[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal) : field);
        }
    }

    private static bool IsQuotedAsAWhole(string field)
    {
        if (field.Length < 2 || field[0] != '"' || field[^1] != '"') return false;
        for (var i = 1; i < field.Length - 1; i++)
        {
            if (field[i] != '"') continue;
            if (i + 1 == field.Length - 1 || field[i + 1] != '"') return false;
            i++;
        }
        return true;
    }

    private void SplitQuoted(string line)
    {
        for (var at = 0; ;)
        {
            if (at < line.Length && line[at] == '"')
            {
                ReadQuoted(ref line, ref at);
            }
            else
            {
                var next = line.IndexOf(_separator, at);
                Fields.Add(next < 0 ? line[at..].TrimEnd('\r') : line[at..next]);
                at = next < 0 ? line.Length : next;
            }
            if (at == line.Length) return;
            at++;   // the separator; a line that ends with one has an empty last field
        }
    }

    /// <summary>Reads one quoted field, over several lines if need be; then <paramref name="at"/> is at a separator or at the line's
    /// end.</summary>
    private void ReadQuoted(ref string line, ref int at)
    {
        var opened = _line;
        _field.Clear();
        at++;
        while (true)
        {
            var quote = line.IndexOf('"', at);
            if (quote < 0)
            {
                _field.Append(line, at, line.Length - at).Append('\n');
                at = 0;
                line = _field.Length <= LongestRecord ? NextLine() ?? throw Unclosed() : throw Unclosed();
                continue;
            }
            _field.Append(line, at, quote - at);
            at = quote + 1;
            if (at == line.Length || line[at] != '"') break;
            _field.Append('"');
            at++;
        }
        if (at == line.Length - 1 && line[at] == '\r') at++;
        if (at < line.Length && line[at] != _separator)
            throw FaultAt(_line, $"'{line[at]}' follows a closing quote, where a separator or the line's end was expected. " +
                "Double the quotes inside a quoted field.");
        Fields.Add(_field.ToString());

        InvalidDataException Unclosed() => FaultAt(opened, "a field begins with a quote that is never closed. " +
            "Close it, or double it and quote the whole field.");
    }

    /// <summary>The next line without its line feed; null at the end.</summary>
    private string? NextLine()
    {
        var length = _buffer.AsSpan(_start, _end - _start).IndexOf((byte)'\n');
        for (var searched = _end - _start; length < 0;)
        {
            if (!Fill())
            {
                if (_start == _end) return null;
                length = _end - _start;
                break;
            }
            length = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (length >= 0) length += searched;
            searched = _end - _start;
            if (length < 0 && searched > LongestRecord)
                throw FaultAt(_line + 1, $"the line is longer than {LongestRecord} bytes. This is not a table of captions.");
        }
        _line++;
        var bytes = _buffer.AsSpan(_start, length);
        _start = Math.Min(_end, _start + length + 1);
        return Decode(bytes);
    }

    private string Decode(ReadOnlySpan<byte> bytes)
    {
        if (_line == 1)
        {
            if (bytes.StartsWith(Encoding.UTF8.Preamble)) bytes = bytes[3..];
            if (bytes.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || bytes.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
                throw FaultAt(1, "the table is UTF-16. Save it as UTF-8.");
        }
        if (bytes.Contains((byte)0))
            throw FaultAt(_line, "there is a zero byte, as in UTF-16 text or in a file that is no table. Save the table as UTF-8.");
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw FaultAt(_line, $"byte {e.Index + 1} of the line (0x{(e.BytesUnknown is [var first, ..] ? first : 0):X2}) " +
                "is not UTF-8. Save the table as UTF-8.");
        }
    }

    private bool Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        else if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, 2 * _buffer.Length);
        }
        var read = _stream.Read(_buffer, _end, _buffer.Length - _end);
        _end += read;
        return read > 0;
    }

    private InvalidDataException FaultAt(int line, string what) => new($"'{_name}', line {line}: {what}");
}
