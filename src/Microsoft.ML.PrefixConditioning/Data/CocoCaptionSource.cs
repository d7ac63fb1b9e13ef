using System.Buffers.Text;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Turns the captions of COCO into rows. The file is read as a stream.</summary>
/// <remarks>
/// Source: COCO's data format: "images" has objects with "id" and "file_name", "annotations" has objects with "image_id" and "caption". In
/// memory there are the images' names and 16 bytes per caption: where it is in the file.
/// </remarks>
internal sealed class CocoCaptionSource
{
    private readonly SourceFile _file;
    private readonly string _path;
    private readonly Dictionary<long, string> _images = [];
    private readonly List<(long Image, long Offset, int Length)> _captions = [];
    private readonly Action<string> _fault;
    private readonly ImageRoot _root;
    private readonly LongPhase _phase;

    private CocoCaptionSource(string path, ImageRoot root, LongPhase phase, Action<string> fault) =>
        (_file, _path, _root, _phase, _fault) = (new(path), path, root, phase, fault);

    /// <summary>Reads the file; images are not opened.</summary>
    /// <returns>Columns image, text, dataset type and label (missing), in the order of the annotations.</returns>
    public static IDataView Load(
        LongPhase phase, string path, string? imageRoot, bool allowOutsideRoot, BadRowPolicy badRows, string datasetType,
        SourceColumns columns)
    {
        var root = new ImageRoot(path, imageRoot ?? Path.GetDirectoryName(path) ?? "", allowOutsideRoot);
        var (faults, first) = (0, "");
        var source = new CocoCaptionSource(path, root, phase, fault =>
        {
            if (badRows == BadRowPolicy.Fail) throw LeftOutRows.Refusal(fault, "entries");
            if (faults++ == 0) first = fault;
        });
        var rows = source.Read();
        if (rows.Count == 0) throw new InvalidDataException($"{NearName.Quoted(path)} has no captions of images. {first}".TrimEnd());
        var leftOut = LeftOutRows.Told(phase.Channel, faults, first, $"{NearName.Quoted(path)}: {rows.Count} caption(s)");
        return new TextRowsView(
            rows.Count, columns.Names(),
            isRandom => new Rows(rows, source._file.OpenRanges(isRandom), root, datasetType), leftOut);
    }

    private List<(string Image, long Offset, int Length)> Read()
    {
        try
        {
            using var stream = _file.Open();
            var json = new JsonFileReader(stream);
            if (!json.Read() || json.Type != JsonTokenType.StartObject)
                throw new InvalidDataException($"{NearName.Quoted(_path)} is no JSON object with \"images\" and \"annotations\".");
            while (json.Read() && json.Type == JsonTokenType.PropertyName)
            {
                if (json.Token.SequenceEqual("\"images\""u8)) ReadArray(json, "images", ReadImage);
                else if (json.Token.SequenceEqual("\"annotations\""u8)) ReadArray(json, "annotations", ReadCaption);
                else json.Skip();
            }
            while (json.Read()) { }   // only white space may follow
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{NearName.Quoted(_path)} is not JSON, or is cut off: {NearName.Visible(e.Message)}", e);
        }
        var rows = new List<(string, long, int)>(_captions.Count);
        foreach (var (image, offset, length) in _captions)
            if (_images.TryGetValue(image, out var name)) rows.Add((name, offset, length));
            else _fault($"{NearName.Quoted(_path)}, the caption at byte {offset}: there is no image with the id {image}.");
        return rows;
    }

    private void ReadArray(JsonFileReader json, string name, Func<JsonFileReader, string?> readObject)
    {
        json.Read();
        if (json.Type != JsonTokenType.StartArray)
            throw new InvalidDataException($"{NearName.Quoted(_path)}: \"{name}\" is {json.Type}, expected an array.");
        for (var i = 0; json.Read() && json.Type != JsonTokenType.EndArray; i++)
        {
            _phase.Advance();
            var reason = "it is no object.";
            if (json.Type == JsonTokenType.StartObject) reason = readObject(json);
            else json.Skip();
            if (reason is not null) _fault($"{NearName.Quoted(_path)}, {name}[{i}]: {reason}");
        }
    }

    private string? ReadImage(JsonFileReader json)
    {
        long? id = null;
        string? name = null;
        while (json.Read() && json.Type == JsonTokenType.PropertyName)
        {
            if (json.Token.SequenceEqual("\"id\""u8)) id = Number(json);
            else if (json.Token.SequenceEqual("\"file_name\""u8)) name = json.Read() && IsText(json, out var text) ? text : Skipped(json);
            else json.Skip();
        }
        if (id is null) return "\"id\" is missing or no whole number.";
        if (string.IsNullOrWhiteSpace(name)) return "\"file_name\" is missing or no text.";
        name = ImageCaptionSource.ImagePath(name);
        if (_root.Refusal(name) is not null) return $"{NearName.Quoted(name)} is outside of the image root.";
        return _images.TryAdd(id.Value, name) ? null : $"the id {id} is that of another image, {NearName.Quoted(_images[id.Value])}.";
    }

    private string? ReadCaption(JsonFileReader json)
    {
        long? image = null;
        (long Offset, int Length)? caption = null;
        while (json.Read() && json.Type == JsonTokenType.PropertyName)
        {
            if (json.Token.SequenceEqual("\"image_id\""u8)) image = Number(json);
            else if (!json.Token.SequenceEqual("\"caption\""u8)) json.Skip();
            else if (json.Read() && IsText(json, out _)) caption = (json.Offset, json.Token.Length);
            else Skipped(json);
        }
        if (image is null) return "\"image_id\" is missing or no whole number.";
        if (caption is null) return "\"caption\" is missing or no text.";
        _captions.Add((image.Value, caption.Value.Offset, caption.Value.Length));
        return null;
    }

    private static long? Number(JsonFileReader json)
    {
        json.Read();
        if (json.Type == JsonTokenType.Number && Utf8Parser.TryParse(json.Token, out long number, out var used)
            && used == json.Token.Length) return number;
        json.Skip();
        return null;
    }

    private static string? Skipped(JsonFileReader json)
    {
        json.Skip();
        return null;
    }

    private static bool IsText(JsonFileReader json, out string text)
    {
        text = "";
        if (json.Type != JsonTokenType.String) return false;
        try
        {
            text = Text(json.Token);
            return true;
        }
        catch (InvalidDataException)
        {
            return false;   // not UTF-8
        }
    }

    private static string Text(ReadOnlySpan<byte> token)
    {
        try
        {
            var reader = new Utf8JsonReader(token);
            reader.Read();
            return reader.GetString() ?? "";
        }
        catch (Exception e) when (e is InvalidOperationException or JsonException)
        {
            throw new InvalidDataException("A caption cannot be read: the file is not UTF-8, or was changed after it was loaded.", e);
        }
    }

    /// <summary>Rows of the file with the columns of a source.</summary>
    private sealed class Rows(
        List<(string Image, long Offset, int Length)> rows, SourceFile.RangeReader captions, ImageRoot root, string datasetType) : IRowTexts
    {
        public string? Text(int row, int column) => column switch
        {
            0 => root.Locator(rows[row].Image),
            1 => CocoCaptionSource.Text(captions.Read(rows[row].Offset, rows[row].Length).Span),
            2 => datasetType,
            _ => null,
        };

        public void Dispose() => captions.Dispose();
    }
}
