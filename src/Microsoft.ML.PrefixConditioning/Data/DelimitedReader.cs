using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads a CSV or TSV table record by record. Every error names its line.</summary>
/// <remarks>
/// <para>The text is UTF-8, or UTF-16 with a byte order mark. A line ends with LF, CR or CRLF, also mixed; empty lines are skipped.</para>
/// <para>A field that begins and ends with a quote is unquoted: it may contain separators and line breaks, and doubles its quotes (RFC
/// 4180). A quote anywhere else is text. A field that begins with a quote but is not quoted correctly is an error, except in TSV, where it
/// is text: <c>"hello" she said</c>.</para>
/// <para>In TSV, quotes around several lines are also text if each line is a complete record by itself. So two captions, of which one
/// begins and one ends with a stray quote, do not swallow the rows between them.</para>
/// <para>pandas, with which open_clip reads tables, differs in such malformed TSV fields only: it drops their quotes and swallows
/// rows.</para>
/// </remarks>
internal sealed class DelimitedReader : IDisposable
{
    /// <summary>Maximum length of a line or field in characters. Longer ones come from an unclosed quote, or from a file that is not a
    /// table.</summary>
    private const int LongestField = 1 << 24;

    private const char NotUtf8 = '\uFFFF';   // stands for undecodable bytes: Unicode reserves it for use inside programs

    private static readonly Encoding Utf8 = Encoding.GetEncoding(
        Encoding.UTF8.CodePage, EncoderFallback.ExceptionFallback, new DecoderReplacementFallback($"{NotUtf8}"));

    private static readonly (char Separator, string Name)[] Separators =
        [('\t', "tab-separated"), (',', "comma-separated"), (';', "semicolon-separated"), ('|', "pipe-separated")];

    private readonly StreamReader _reader;
    private readonly string _name;
    private readonly char _separator;
    private readonly char[] _buffer;
    private readonly StringBuilder _line = new(), _field = new();
    private readonly Queue<TextLine> _ahead = new();   // read in search of a closing quote, but not used yet
    private int _at, _end, _lines, _width;
    private long _position;   // in bytes, behind the lines that were read
    private TextLine _first = new(0, "", "", 0);

    /// <param name="stream">The stream, which is read from its begin, can seek, and is disposed with the reader.</param>
    /// <param name="name">The table's name in messages.</param>
    /// <param name="separator">The character between two fields.</param>
    /// <param name="bufferSize">Bytes that are read at once.</param>
    public DelimitedReader(Stream stream, string name, char separator, int bufferSize = 1 << 16)
    {
        if (separator is '"' or '\r' or '\n')
            throw new ArgumentException("A quote or a line break cannot separate fields; " +
                "use a comma, a tab or a semicolon.", nameof(separator));
        _reader = new StreamReader(stream, Utf8, detectEncodingFromByteOrderMarks: true, bufferSize);
        (_name, _separator, _buffer) = (name, separator, new char[bufferSize / 2]);
    }

    /// <summary>The fields of the last record.</summary>
    public List<string> Fields { get; } = [];

    /// <summary>The line on which the last record began; the first is 1.</summary>
    public int Line => _first.Number;

    /// <summary>Where the last record begins: its first byte, and its line.</summary>
    public (long Byte, int Line) Position => (_first.Begin, _first.Number);

    /// <summary>Goes to a record whose position is known; the first record must have been read before.</summary>
    public void GoTo((long Byte, int Line) position)
    {
        _reader.DiscardBufferedData();
        _reader.BaseStream.Seek(position.Byte, SeekOrigin.Begin);
        (_at, _end, _position, _lines) = (0, 0, position.Byte, position.Line - 1);
        _ahead.Clear();
    }

    /// <summary>Reads the next record that is not empty.</summary>
    /// <returns>False at the end of the table.</returns>
    /// <exception cref="InvalidDataException">The text is not UTF-8, or a CSV field is not quoted correctly.</exception>
    public bool Read()
    {
        var next = NextLine();
        while (next is { Text.Length: 0 }) next = NextLine();
        if (next is not { } line) return false;
        _first = line;
        Fields.Clear();
        for (var at = 0; ; at++)   // behind a separator: a line that ends with one has an empty last field
        {
            if (at == line.Text.Length || line.Text[at] != '"' || !ReadQuoted(ref line, ref at))
            {
                var end = line.Text.IndexOf(_separator, at);
                if (end < 0) end = line.Text.Length;
                Fields.Add(line.Text[at..end]);
                at = end;
            }
            if (at == line.Text.Length) break;
        }
        if (_width == 0) _width = Fields.Count;
        return true;
    }

    /// <summary>An error about the last record.</summary>
    public InvalidDataException Fault(string what) => FaultAt(Line, what);

    /// <summary>A hint with a leading space if the last record seems to use another separator.</summary>
    /// <param name="otherwise">The result if it does not.</param>
    public string SeparatorHint(string otherwise)
    {
        var (separator, name) = Separators.MaxBy(s => _first.Text.Count(c => c == s.Separator));
        var count = _first.Text.Count(c => c == separator);
        return separator == _separator || count < Fields.Count ? otherwise
            : $" The line looks {name}: it has {count} of {Literal(separator)}. Set separator to {Literal(separator)}.";
    }

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();

    /// <summary>Reads one quoted field, over several lines if necessary; <paramref name="at"/> is then at a separator or at the end of the
    /// line.</summary>
    /// <returns>False if the field is text despite its quote; nothing has been read then.</returns>
    private bool ReadQuoted(ref TextLine line, ref int at)
    {
        var isTsv = _separator == '\t';
        var (last, from, taken) = (line, at + 1, 0);
        var areRecords = isTsv && IsRecord(line);
        using var ahead = LinesAhead().GetEnumerator();
        _field.Clear();
        while (true)
        {
            var quote = last.Text.IndexOf('"', from);
            _field.Append(last.Text, from, (quote < 0 ? last.Text.Length : quote) - from);
            if (quote < 0)
            {
                _field.Append(last.Break);
                if (_field.Length > LongestField || !ahead.MoveNext())
                    return isTsv ? false : throw FaultAt(line.Number, "a field begins with a quote that is never closed. " +
                        "Close it, or double it and quote the whole field.");
                (last, from, taken) = (ahead.Current, 0, taken + 1);
                areRecords &= IsRecord(last);
                continue;
            }
            from = quote + 1;
            if (from == last.Text.Length || last.Text[from] != '"') break;
            _field.Append('"');
            from++;
        }
        if (from < last.Text.Length && last.Text[from] != _separator)
            return isTsv ? false : throw FaultAt(last.Number, "text follows a closing quote, where a separator or the line's end was " +
                "expected. Double the quotes inside a quoted field.");
        var field = _field.ToString();
        if (areRecords && (taken > 0 || field.Contains('\t'))) return false;
        for (; taken > 0; taken--) _ahead.Dequeue();
        Fields.Add(field);
        (line, at) = (last, from);
        return true;
    }

    /// <summary>Whether a line has as many fields as the first one if its quotes are text.</summary>
    private bool IsRecord(TextLine line) => line.Text.Count(c => c == _separator) + 1 == _width;

    private TextLine? NextLine() => _ahead.TryDequeue(out var line) ? line : ReadLine();

    private IEnumerable<TextLine> LinesAhead()
    {
        foreach (var line in _ahead) yield return line;
        while (ReadLine() is { } line)
        {
            _ahead.Enqueue(line);
            yield return line;
        }
    }

    private TextLine? ReadLine()
    {
        _line.Clear();
        while (_at < _end || Fill())
        {
            var rest = _buffer.AsSpan(_at, _end - _at);
            var length = rest.IndexOfAny('\r', '\n');
            _line.Append(length < 0 ? rest : rest[..length]);
            if (_line.Length > LongestField)
                throw FaultAt(_lines + 1, $"the line is longer than {LongestField} characters. This is not a table of captions.");
            _at += length < 0 ? rest.Length : length + 1;
            if (length < 0) continue;
            if (rest[length] == '\n') return Checked("\n");
            if ((_at == _end && !Fill()) || _buffer[_at] != '\n') return Checked("\r");
            _at++;
            return Checked("\r\n");
        }
        return _line.Length > 0 ? Checked("") : null;
    }

    private TextLine Checked(string lineBreak)
    {
        var line = new TextLine(++_lines, _line.ToString(), lineBreak, _position);
        _position += _reader.CurrentEncoding.GetByteCount(line.Text) + _reader.CurrentEncoding.GetByteCount(lineBreak);
        var bad = line.Text.AsSpan().IndexOfAny('\0', NotUtf8);
        if (bad < 0) return line;
        throw FaultAt(line.Number, line.Text[bad] == NotUtf8
            ? $"character {bad + 1} of the line is not UTF-8. Save the table as UTF-8."
            : $"character {bad + 1} of the line is a zero byte, as in UTF-16 text without a byte order mark or in a file that is not " +
                "a table. Save the table as UTF-8.");
    }

    private bool Fill()
    {
        var isFirst = _position == 0 && _lines == 0;
        (_at, _end) = (0, _reader.Read(_buffer));
        if (isFirst && _end > 0) _position = MarkLength();
        return _end > 0;
    }

    /// <summary>Bytes of the byte order mark, which the text does not show.</summary>
    private int MarkLength()
    {
        var (stream, mark) = (_reader.BaseStream, _reader.CurrentEncoding.GetPreamble());
        var (at, first) = (stream.Position, new byte[mark.Length]);
        stream.Position = 0;
        var length = stream.ReadAtLeast(first, first.Length, throwOnEndOfStream: false);
        stream.Position = at;
        return length == mark.Length && first.AsSpan().SequenceEqual(mark) ? length : 0;
    }

    private InvalidDataException FaultAt(int line, string what) => new($"{NearName.Quoted(_name)}, line {line}: {what}");

    private static string Literal(char separator) => separator == '\t' ? "'\\t'" : $"'{separator}'";

    private readonly record struct TextLine(int Number, string Text, string Break, long Begin);
}
