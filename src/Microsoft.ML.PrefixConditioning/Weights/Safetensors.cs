using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Named tensors to and from the safetensors format: a length, a JSON header, raw little-endian data.</summary>
/// <remarks>
/// Source: the format's description in the safetensors repository. Stricter than needed on purpose, because a file can come
/// from anywhere: the header is bounded, offsets must be in range, contiguous and of the size that shape and type give.
/// Layout: u64 header length | header (JSON, padded with spaces to 8 bytes) | data.
/// </remarks>
internal static class Safetensors
{
    // Longest accepted header; the reference reader's own limit.
    private const long MaxHeaderBytes = 100_000_000;

    private const string MetadataKey = "__metadata__", Ends = "The safetensors data end inside";

    // A header of 16 MB would describe more than 100,000 tensors; the largest CLIP models have about 1,000.
    private const long MaxPretrainedHeaderBytes = 16 << 20;

    /// <summary>One tensor as the header describes it; offsets count from the start of the data.</summary>
    internal sealed record Entry(string Name, ScalarType Type, long[] Shape, long Begin, long End);

    /// <summary>A file whose tensors are read one by one, straight into their destinations. Only the header is kept.</summary>
    /// <param name="stream">Seekable; owned from here on, also when this fails.</param>
    /// <exception cref="InvalidDataException">The stream does not hold a valid safetensors file.</exception>
    public static WeightFile Open(Stream stream)
    {
        try
        {
            var header = ReadHeader(stream, out var metadata, MaxPretrainedHeaderBytes);
            var start = stream.Position;
            return new WeightFile(header.Select(e => new WeightEntry(e.Name, e.Type, e.Shape, destination =>
            {
                stream.Position = start + e.Begin;
                WeightValues.Read(stream, e.Type, destination, e.Name);
            })), metadata, stream.Dispose);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>All tensors of a file, on the CPU; the caller owns them.</summary>
    /// <exception cref="InvalidDataException">The file is not a valid safetensors file.</exception>
    public static Dictionary<string, Tensor> Load(string path)
    {
        using var stream = File.OpenRead(path);
        return Read(stream);
    }

    /// <summary>All tensors of a stream, on the CPU; the caller owns them.</summary>
    /// <param name="stream">Seekable: its length is then known, and no claim of the header takes more memory than there is data.</param>
    /// <param name="cancellation">Stops reading between two tensors.</param>
    /// <exception cref="InvalidDataException">The stream does not hold a valid safetensors file.</exception>
    public static Dictionary<string, Tensor> Read(Stream stream, CancellationToken cancellation = default)
    {
        Debug.Assert(stream.CanSeek);
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        try
        {
            foreach (var entry in ReadHeader(stream, out _))
            {
                cancellation.ThrowIfCancellationRequested();
                var tensor = empty(entry.Shape, entry.Type);
                tensors.Add(entry.Name, tensor);
                ReadData(stream, entry, tensor);
            }
        }
        catch
        {
            foreach (var tensor in tensors.Values) tensor.Dispose();
            throw;
        }
        return tensors;
    }

    /// <summary>Fills existing tensors in place; names, shapes and types must be exactly those of the stream, except that bfloat16 tensors
    /// take single precision.</summary>
    public static void ReadInto(Stream stream, IReadOnlyDictionary<string, Tensor> destination)
    {
        using var noGrad = no_grad();
        var entries = ReadHeader(stream, out _);
        var missing = destination.Keys.Except(entries.Select(e => e.Name), StringComparer.Ordinal).ToArray();
        if (missing.Length > 0)
            throw new InvalidDataException($"The weights lack {NearName.List(missing, 3)}; the file does not fit this architecture.");
        foreach (var entry in entries)
        {
            if (!destination.TryGetValue(entry.Name, out var tensor))
                throw new InvalidDataException($"The weights hold '{entry.Name}', which this architecture does not have.");
            var type = tensor.dtype == ScalarType.BFloat16 ? ScalarType.Float32 : tensor.dtype;
            if (type != entry.Type || !tensor.shape.AsSpan().SequenceEqual(entry.Shape))
                throw new InvalidDataException(
                    $"Tensor '{entry.Name}' is {entry.Type} {WeightEntry.Describe(entry.Shape)}, expected {type} " +
                    $"{WeightEntry.Describe(tensor.shape)}.");
            if (tensor.device_type == DeviceType.CPU && tensor.is_contiguous() && tensor.dtype == type)
            {
                ReadData(stream, entry, tensor);
                continue;
            }
            using var staging = empty(entry.Shape, entry.Type);
            ReadData(stream, entry, staging);
            tensor.copy_(staging);
        }
    }

    /// <summary>Reads and checks the header; the stream then stands at the first byte of the data.</summary>
    /// <returns>The entries in the order of their data.</returns>
    /// <exception cref="InvalidDataException">The header is truncated, too long, not JSON, or its offsets do not fit.</exception>
    internal static List<Entry> ReadHeader(Stream stream, out IReadOnlyDictionary<string, string> metadata,
        long maxHeaderBytes = MaxHeaderBytes)
    {
        Span<byte> lengthBytes = stackalloc byte[8];
        WeightValues.Fill(stream, lengthBytes, $"{Ends} the header's length");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(lengthBytes);
        if (length < 2 || length > (ulong)maxHeaderBytes)
            throw new InvalidDataException(
                $"The safetensors header claims {length} bytes; 2 to {maxHeaderBytes} are allowed. " +
                "This is not a safetensors file, or it is damaged.");
        if (stream.CanSeek && (long)length > stream.Length - stream.Position)
            throw new InvalidDataException($"The safetensors header claims {length} bytes, but only " +
                $"{stream.Length - stream.Position} follow. The file is truncated.");
        var header = SmallFile.ReadUpTo(stream, (int)length);
        if (header.Length < (int)length)
            throw new InvalidDataException($"{Ends} the header: {length} bytes expected, {header.Length} found. The file is truncated.");
        var entries = ParseHeader(header, out metadata);
        entries.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        long position = 0;
        foreach (var entry in entries)
        {
            if (entry.Begin != position)
                throw new InvalidDataException(
                    $"Tensor '{entry.Name}' begins at byte {entry.Begin}, expected {position}: the data overlap or have a hole.");
            position = entry.End;
        }
        if (stream.CanSeek && position != stream.Length - stream.Position)
            throw new InvalidDataException($"The tensors need {position} bytes, but {stream.Length - stream.Position} follow the header. " +
                "The file is truncated or has bytes that belong to no tensor.");
        return entries;
    }

    /// <summary>Writes the tensors in the given order; equal input gives equal bytes.</summary>
    public static void Write(Stream stream, IReadOnlyCollection<KeyValuePair<string, Tensor>> tensors,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        using var header = new MemoryStream();
        using (var json = new Utf8JsonWriter(header))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject(MetadataKey);
                foreach (var (key, value) in metadata) json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (var (name, tensor) in tensors)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", TypeName(tensor.dtype));
                json.WriteStartArray("shape");
                foreach (var size in tensor.shape) json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                offset += tensor.numel() * tensor.element_size();
                json.WriteNumberValue(offset);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (header.Length % 8 != 0) header.WriteByte((byte)' ');
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
        stream.Write(length);
        header.WriteTo(stream);
        foreach (var (_, tensor) in tensors) WriteData(stream, tensor);
    }

    /// <summary>Writes a tensor's values alone, as they stand in a file's data.</summary>
    public static void WriteData(Stream stream, Tensor tensor)
    {
        using var scope = NewDisposeScope();
        foreach (var part in WeightValues.Parts(tensor.detach().cpu().contiguous())) stream.Write(part.bytes);
    }

    private static List<Entry> ParseHeader(byte[] header, out IReadOnlyDictionary<string, string> metadata)
    {
        var entries = new List<Entry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        metadata = found;
        try
        {
            using var document = JsonDocument.Parse(header, new JsonDocumentOptions { MaxDepth = 8 });
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (!names.Add(property.Name))
                    throw new InvalidDataException($"The safetensors header names '{property.Name}' twice.");
                if (property.NameEquals(MetadataKey))
                    foreach (var item in property.Value.EnumerateObject())
                        found[item.Name] = item.Value.GetString() ?? "";
                else
                    entries.Add(ParseEntry(property.Name, property.Value));
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException
            or DecoderFallbackException or OverflowException)
        {
            throw new InvalidDataException($"The safetensors header is not valid: {e.Message}", e);
        }
        return entries;
    }

    private static Entry ParseEntry(string name, JsonElement value)
    {
        var type = TypeOf(name, value.GetProperty("dtype").GetString());
        var shape = value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64()).ToArray();
        var offsets = value.GetProperty("data_offsets");
        if (offsets.GetArrayLength() != 2 || shape.Length > 16)
            throw new InvalidDataException($"Tensor '{name}' has {offsets.GetArrayLength()} offsets and {shape.Length} dimensions; " +
                "expected 2 offsets and at most 16 dimensions.");
        long begin = offsets[0].GetInt64(), end = offsets[1].GetInt64(), bytes = WeightValues.BytesOf(type);
        foreach (var size in shape)
        {
            if (size < 0) throw new InvalidDataException($"Tensor '{name}' has the dimension {size}; a dimension is 0 or more.");
            bytes = checked(bytes * Math.Max(size, 1)); // a dimension of 0 must not hide that the others have no strides
        }
        if (shape.Contains(0)) bytes = 0;
        if (begin < 0 || end < begin || end - begin != bytes)
            throw new InvalidDataException($"Tensor '{name}' lies at bytes {begin} to {end}, but its type and shape need {bytes} bytes.");
        return new Entry(name, type, shape, begin, end);
    }

    private static void ReadData(Stream stream, Entry entry, Tensor tensor)
    {
        using var scope = NewDisposeScope();
        foreach (var part in WeightValues.Parts(tensor.detach()))
            WeightValues.Fill(stream, part.bytes, $"{Ends} tensor '{entry.Name}'");
    }

    private static string TypeName(ScalarType type) => WeightValues.Types.FirstOrDefault(t => t.Type == type).Safetensors
        ?? throw new NotSupportedException($"Tensors of type {type} cannot be written as safetensors.");

    private static ScalarType TypeOf(string name, string? type) =>
        WeightValues.Types.FirstOrDefault(t => t.Safetensors == type) is { Bytes: > 0 } known ? known.Type : throw new InvalidDataException(
            $"Tensor '{name}' has the type '{type}'; {string.Join(", ", WeightValues.Types.SkipLast(1).Select(t => t.Safetensors))} and " +
            $"{WeightValues.Types[^1].Safetensors} are known.");
}
