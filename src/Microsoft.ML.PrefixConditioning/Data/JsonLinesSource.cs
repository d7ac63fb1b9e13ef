using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Turns JSON Lines, one object per line, into rows: an image and one caption or several.</summary>
/// <remarks>In memory there are 16 bytes per row: where its line is. Each cursor reads the lines again.</remarks>
internal sealed class JsonLinesSource
{
    private const int LongestLine = 1 << 24;

    private readonly SourceFile _file;
    private readonly string _path;
    private readonly CaptionTableFields _fields;
    private readonly ImageRoot _root;
    private readonly List<(long Offset, int Length, int Caption)> _rows = [];

    private JsonLinesSource(string path, CaptionTableFields fields, ImageRoot root) =>
        (_file, _path, _fields, _root) = (new(path), path, fields, root);

    /// <summary>Whether the extension is that of JSON Lines.</summary>
    public static bool HasExtension(string path) => Path.GetExtension(path).ToUpperInvariant() is ".JSONL" or ".NDJSON";

    /// <summary>Checks every line; images are not opened.</summary>
    /// <returns>Columns image, text, dataset type and label (missing), in the order of the lines.</returns>
    public static IDataView Load(
        LongPhase phase, string path, ImageRoot root, CaptionTableFields fields, string datasetType, SourceColumns columns)
    {
        if (fields.ImageIndex is not null)
            throw new ArgumentException("imageIndex and captionIndex count the fields of a table; JSON names them. Set imageField and " +
                "captionField.");
        var source = new JsonLinesSource(path, fields, root);
        using (var stream = source._file.Open()) source.ReadLines(stream, phase);
        if (source._rows.Count == 0) throw new InvalidDataException($"{NearName.Quoted(path)} has no rows.");
        return new TextRowsView(
            source._rows.Count, columns.Names(),
            isRandom => new Rows(source, isRandom, datasetType));
    }

    private void ReadLines(FileStream stream, LongPhase phase)
    {
        var buffer = new byte[1 << 16];
        long start = 0;   // of the buffer in the file
        for (int filled = 0, line = 1, read = 1; read > 0;)
        {
            if (filled == buffer.Length)
            {
                if (filled >= LongestLine) throw Fault(line, $"it has more than {LongestLine} bytes.");
                Array.Resize(ref buffer, filled * 2);
            }
            read = stream.Read(buffer, filled, buffer.Length - filled);
            filled += read;
            var used = 0;
            while (used < filled)
            {
                var length = buffer.AsSpan(used..filled).IndexOf((byte)'\n');
                if (length < 0 && read > 0) break;   // the rest of the line is still in the file
                if (length < 0) length = filled - used;
                AddLine(buffer.AsMemory(used, length), start + used, line++);
                phase.Advance();
                used = Math.Min(used + length + 1, filled);
            }
            buffer.AsSpan(used..filled).CopyTo(buffer);
            (start, filled) = (start + used, filled - used);
        }
    }

    private void AddLine(ReadOnlyMemory<byte> bytes, long offset, int line)
    {
        if (offset == 0 && bytes.Span.StartsWith("\uFEFF"u8)) (bytes, offset) = (bytes[3..], 3);
        if (bytes.Span.Trim(" \t\r"u8).Length == 0) return;
        try
        {
            var (image, captions) = Parse(bytes);
            if (_root.Refusal(image) is { } refusal) throw new InvalidDataException(refusal);
            for (var i = 0; i < captions.Count; i++) _rows.Add((offset, bytes.Length, i));
        }
        catch (InvalidDataException e)
        {
            throw Fault(line, e.Message);
        }
    }

    private (string Image, List<string> Captions) Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidDataException($"it is {json.RootElement.ValueKind}, expected one JSON object per line.");
            var image = Field(json.RootElement, _fields.Image, ImageCaptionSource.ImageFieldNames, "image");
            var caption = Field(json.RootElement, _fields.Caption, ImageCaptionSource.CaptionFieldNames, "caption");
            return (ImageCaptionSource.ImagePath(Text(image).Trim()),
                caption.Value.ValueKind == JsonValueKind.Array
                    ? [.. caption.Value.EnumerateArray().Select(c => Text((caption.Name, c)))] : [Text(caption)]);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"it is not JSON: {NearName.Visible(e.Message)}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException("it is not UTF-8.", e);
        }
    }

    private static (string Name, JsonElement Value) Field(JsonElement row, string? asked, string[] known, string what)
    {
        if (asked is not null && row.TryGetProperty(asked, out var value)) return (asked, value);
        var names = row.EnumerateObject().Select(p => p.Name).ToArray();
        if (asked is not null)
            throw new InvalidDataException($"there is no field {NearName.Quoted(asked)} for the {what}; the object has " +
                $"{NearName.List(names)}.{NearName.Question(asked, names)}");
        foreach (var wanted in known)
            if (Array.Find(names, n => ImageCaptionSource.Simplified(n) == wanted) is { } name) return (name, row.GetProperty(name));
        throw new InvalidDataException($"no field of the object ({NearName.List(names)}) is a known name for the {what}: " +
            $"{string.Join(", ", known)}. Set {what}Field to its name.");
    }

    private static string Text((string Name, JsonElement Value) field) => field.Value.ValueKind == JsonValueKind.String
        ? field.Value.GetString()!
        : throw new InvalidDataException($"the field {NearName.Quoted(field.Name)} holds {field.Value.ValueKind}, expected a text.");

    private InvalidDataException Fault(int line, string fault) => new($"{NearName.Quoted(_path)}, line {line}: {fault}");

    /// <summary>Rows of the file with the columns of a source.</summary>
    private sealed class Rows(JsonLinesSource source, bool isRandom, string datasetType) : IRowTexts
    {
        private readonly SourceFile.RangeReader _lines = source._file.OpenRanges(isRandom);
        private (long Offset, string Image, List<string> Captions) _line = (-1, "", []);

        public string? Text(int row, int column)
        {
            if (column > 1) return column == 2 ? datasetType : null;
            var (offset, length, caption) = source._rows[row];
            if (_line.Offset != offset)
            {
                var (image, captions) = source.Parse(_lines.Read(offset, length));
                _line = (offset, image, captions);
            }
            return column == 0 ? source._root.Locator(_line.Image)
                : caption < _line.Captions.Count ? _line.Captions[caption] : throw source._file.Changed();
        }

        public void Dispose() => _lines.Dispose();
    }
}
