using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What to read of each sample of a WebDataset.</summary>
/// <param name="Images">Extensions of images, the preferred one first.</param>
/// <param name="Text">Where the text is.</param>
/// <param name="Label">Where the label is; null for none.</param>
internal sealed record WebDatasetMembers(string[] Images, WebDatasetValue Text, WebDatasetValue? Label)
{
    /// <summary>Differs where a scan would.</summary>
    public override string ToString() => $"{string.Join(';', Images)} | {Text} | {Label}";
}

/// <summary>A text in a sample: a member, or a field of a JSON member.</summary>
/// <param name="Extension">The member, such as "txt", "cls" or "json".</param>
/// <param name="Field">The field of a JSON object; null for the whole member.</param>
internal sealed record WebDatasetValue(string Extension, string? Field)
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Parses "txt", or "json:caption".</summary>
    public static WebDatasetValue Parse(string text, string argument) => text.Split(':') switch
    {
        [{ Length: > 0 } extension] when extension != "json" => new(extension, null),
        [{ Length: > 0 } extension, { Length: > 0 } field] => new(extension, field),
        _ => throw new ArgumentException($"{NearName.Quoted(text)} is neither an extension, such as 'txt', nor a field of a JSON file, " +
            "such as 'json:caption'.", argument),
    };

    /// <summary>The text in the member's bytes.</summary>
    /// <exception cref="InvalidDataException">The bytes are not UTF-8 or JSON, or the field is missing or no text.</exception>
    public string Read(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            if (Field is null) return StrictUtf8.GetString(bytes.Span).Trim('\uFEFF', ' ', '\t', '\r', '\n');
            using var json = JsonDocument.Parse(bytes);
            if (json.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty(Field, out var value))
                throw new InvalidDataException($"its '{Extension}' has no field '{Field}'.");
            return value.ValueKind switch
            {
                JsonValueKind.String => value.GetString()!,
                JsonValueKind.Number => value.GetRawText(),
                _ => throw new InvalidDataException($"the field '{Field}' of its '{Extension}' is {value.ValueKind}, expected a text."),
            };
        }
        catch (Exception e) when (e is DecoderFallbackException or InvalidOperationException)
        {
            throw new InvalidDataException($"its '{Extension}' is not UTF-8.", e);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"its '{Extension}' is not JSON: {NearName.Visible(e.Message)}", e);
        }
    }
}

/// <summary>A sample: where its members are.</summary>
/// <param name="Image">Position of the image.</param>
/// <param name="ImageLength">Bytes of the image.</param>
/// <param name="TextShift">Position of the text, from that of the image.</param>
/// <param name="TextLength">Bytes of the text.</param>
/// <param name="LabelShift">Position of the label, in the same way.</param>
/// <param name="LabelLength">Bytes of the label; -1 if the sample has none.</param>
/// <param name="KeyEnd">End of its key among the keys of the shard.</param>
internal readonly record struct WebDatasetSample(
    long Image, int ImageLength, int TextShift, int TextLength, int LabelShift, int LabelLength, int KeyEnd);

/// <summary>The samples of one shard, found in one pass over its headers: 32 bytes per sample, and its key.</summary>
/// <remarks>As in webdataset, members with the same name up to the first dot form a sample if they follow each other.</remarks>
internal sealed class WebDatasetShard
{
    private const int LongestText = 1 << 24;

    private readonly string _path;
    private readonly WebDatasetMembers _members;
    private readonly List<WebDatasetSample> _samples = [];
    private readonly List<byte> _keys = [];
    private string _firstFault = "";

    private WebDatasetShard(string path, WebDatasetMembers members) => (_path, _members) = (path, members);

    /// <summary>The file.</summary>
    public string Path => _path;

    /// <summary>Number of samples.</summary>
    public int Count => _samples.Count;

    /// <summary>Number of samples left out because of a fault.</summary>
    public int FaultCount { get; private set; }

    /// <summary>The first fault; null if there is none.</summary>
    public string? FirstFault => FaultCount > 0 ? $"'{_path}', {_firstFault}" : null;

    /// <summary>Finds the samples of a shard.</summary>
    public static WebDatasetShard Scan(string path, WebDatasetMembers members, LongPhase phase)
    {
        var shard = new WebDatasetShard(path, members);
        using var stream = RemoteFiles.Read(path, local => RegularFile.Open(local), phase);
        var (key, last) = ("", default(TarEntry));
        var found = new Dictionary<string, TarEntry>(StringComparer.Ordinal);
        try
        {
            foreach (var entry in TarFormat.ReadEntries(stream))
            {
                phase.Advance();
                last = entry;
                var name = entry.Name;
                var start = name.LastIndexOf('/') + 1;
                var dot = name.IndexOf('.', start);
                if (entry.Kind != '0' || dot <= start) continue;
                if (!name.AsSpan(0, dot).SequenceEqual(key))
                {
                    shard.Add(stream, key, found);
                    (key, found) = (name[..dot], new Dictionary<string, TarEntry>(StringComparer.Ordinal));
                }
                found[name[(dot + 1)..].ToLowerInvariant()] = entry;
            }
            shard.Add(stream, key, found);
            if (TarFormat.EndRemark(stream, last) == ClassFolders.CutOff) shard.Fault(key, "the shard has no end mark behind it, so it " +
                "may be cut off.");
        }
        catch (InvalidDataException e)
        {
            shard.Fault(key, $"behind it, the shard is damaged or cut off: {e.Message}");
        }
        return shard;
    }

    /// <summary>Writes what a scan has found: i32 faults | text of the first | samples | keys.</summary>
    public void Write(BinaryWriter writer)
    {
        writer.Write(FaultCount);
        writer.Write(_firstFault);
        writer.Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_samples)));
        writer.Write(CollectionsMarshal.AsSpan(_keys));
    }

    /// <summary>Reads what <see cref="Write"/> has written, up to the end.</summary>
    /// <exception cref="ArgumentException">There are fewer samples.</exception>
    /// <exception cref="FormatException">A sample is impossible.</exception>
    public static WebDatasetShard Read(string path, WebDatasetMembers members, int count, BinaryReader reader)
    {
        var shard = new WebDatasetShard(path, members) { FaultCount = reader.ReadInt32(), _firstFault = reader.ReadString() };
        var rest = reader.ReadBytes((int)(reader.BaseStream.Length - reader.BaseStream.Position)).AsSpan();
        var length = checked(count * Marshal.SizeOf<WebDatasetSample>());
        shard._samples.AddRange(MemoryMarshal.Cast<byte, WebDatasetSample>(rest[..length]));
        shard._keys.AddRange(rest[length..]);
        var keyEnd = 0;
        foreach (var s in shard._samples)
        {
            if (s.Image < 0 || s.ImageLength < 0 || s.Image + s.TextShift < 0 || s.TextLength < 0 || s.Image + s.LabelShift < 0
                || s.LabelLength < -1 || s.KeyEnd < keyEnd || s.KeyEnd > shard._keys.Count)
                throw new FormatException($"{s} is impossible.");
            keyEnd = s.KeyEnd;
        }
        return shard;
    }

    /// <summary>The locator of a sample's image.</summary>
    public string Image(int sample)
    {
        var keys = CollectionsMarshal.AsSpan(_keys);
        var key = Encoding.UTF8.GetString(keys[(sample == 0 ? 0 : _samples[sample - 1].KeyEnd).._samples[sample].KeyEnd]);
        return new ImageSlice(_path, key, _samples[sample].Image, _samples[sample].ImageLength).ToString();
    }

    /// <summary>A sample's text.</summary>
    /// <param name="sample">The sample, from 0.</param>
    /// <param name="read">Reads a range of bytes of the shard.</param>
    /// <exception cref="InvalidDataException">The shard has changed since it was scanned.</exception>
    public string Text(int sample, Func<long, int, byte[]> read) =>
        _members.Text.Read(read(_samples[sample].Image + _samples[sample].TextShift, _samples[sample].TextLength));

    /// <summary>A sample's label; null if it has none.</summary>
    /// <inheritdoc cref="Text" path="/param|/exception"/>
    public string? Label(int sample, Func<long, int, byte[]> read) => _samples[sample].LabelLength < 0 ? null
        : _members.Label!.Read(read(_samples[sample].Image + _samples[sample].LabelShift, _samples[sample].LabelLength));

    private void Add(FileStream stream, string key, Dictionary<string, TarEntry> found)
    {
        if (found.Count == 0) return;
        try
        {
            var extension = _members.Images.FirstOrDefault(found.ContainsKey) ?? throw new InvalidDataException(
                $"it has no image ({string.Join(", ", _members.Images)}), but {NearName.List(found.Keys)}.");
            var image = found[extension];
            if (image.Length > int.MaxValue) throw new InvalidDataException($"its image claims {image.Length} bytes.");
            var (textShift, textLength) = Find(stream, image, found, _members.Text) ?? throw new InvalidDataException(
                $"it has no '{_members.Text.Extension}', but {NearName.List(found.Keys)}.");
            var (labelShift, labelLength) = _members.Label is { } label ? Find(stream, image, found, label) ?? (0, -1) : (0, -1);
            _keys.AddRange(Encoding.UTF8.GetBytes(key));
            _samples.Add(new(image.Offset, (int)image.Length, textShift, textLength, labelShift, labelLength, _keys.Count));
        }
        catch (InvalidDataException e)
        {
            Fault(key, e.Message);
        }
    }

    /// <summary>Where a text is, after a check that it can be read.</summary>
    private static (int Shift, int Length)? Find(
        FileStream stream, TarEntry image, Dictionary<string, TarEntry> found, WebDatasetValue value)
    {
        if (!found.TryGetValue(value.Extension, out var entry)) return null;
        var shift = entry.Offset - image.Offset;
        if (entry.Length > LongestText || shift != (int)shift)
            throw new InvalidDataException($"its '{value.Extension}' claims {entry.Length} bytes, or is more than 2 GB from its image.");
        value.Read(ImageArchive.ReadBytes(stream.SafeFileHandle, entry.Offset, (int)entry.Length));
        return ((int)shift, (int)entry.Length);
    }

    private void Fault(string key, string fault)
    {
        if (FaultCount++ == 0) _firstFault = $"key {NearName.Quoted(key)}: {fault}";
    }
}
