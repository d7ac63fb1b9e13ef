using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Checkpoints as torch.save writes them, and such as it never would. The real ones are in test/golden/pretrained.</summary>
internal sealed class TorchZip
{
    private readonly List<byte> _pickle = [];
    private readonly Dictionary<string, byte[]> _storages = [];

    public TorchZip() => Raw(0x80, 2);

    /// <summary>A state dictionary.</summary>
    public static byte[] Of(IEnumerable<KeyValuePair<string, Tensor>> tensors) => new TorchZip().Op("}(").Tensors(tensors).Op("u.").Archive(
        );

    public TorchZip Tensors(IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        using var scope = NewDisposeScope();
        foreach (var (name, tensor) in tensors)
        {
            var key = _storages.Count.ToString(System.Globalization.CultureInfo.InvariantCulture);
            var values = tensor.detach().contiguous();
            Text(name).Tensor(key, StorageName(values.dtype), values.numel(), 0, values.shape, values.stride());
            _storages.Add(key, values.numel() == 0 ? [] : values.bytes.ToArray());
        }
        return this;
    }

    public TorchZip Tensor(string key, string storage, long count, long offset, long[] shape, long[] strides) =>
        Name("torch._utils", "_rebuild_tensor_v2").Op("((").Text("storage").Name("torch", storage).Text(key).Text("cpu").Int(count).Op("tQ")
            .Int(offset).Ints(shape).Ints(strides).Raw(0x89).Name("collections", "OrderedDict").Op(")RtR");

    public TorchZip Storage(string key, byte[] bytes)
    {
        _storages[key] = bytes;
        return this;
    }

    public TorchZip Op(string opcodes) => Raw(Encoding.Latin1.GetBytes(opcodes));

    public TorchZip Raw(params byte[] bytes)
    {
        _pickle.AddRange(bytes);
        return this;
    }

    public TorchZip Name(string module, string name) => Op($"c{module}\n{name}\n");

    public TorchZip Text(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        return Op("X").Raw(length).Raw(bytes);
    }

    public TorchZip Int(long value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return Raw(0x8A, 8).Raw(bytes);
    }

    public byte[] Archive(CompressionLevel level = CompressionLevel.NoCompression) => Archive([.. _pickle], _storages, level);

    public static byte[] Archive(byte[] pickle, IReadOnlyDictionary<string, byte[]> storages,
        CompressionLevel level = CompressionLevel.NoCompression)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, bytes) in storages.Select(s => ($"archive/data/{s.Key}", s.Value)).Prepend(("archive/data.pkl", pickle)))
            {
                using var entry = zip.CreateEntry(name, level).Open();
                entry.Write(bytes);
            }
        }
        return stream.ToArray();
    }

    private TorchZip Ints(long[] values)
    {
        Op("(");
        foreach (var value in values) Int(value);
        return Op("t");
    }

    private static string StorageName(ScalarType type) => type switch
    {
        ScalarType.Float64 => "DoubleStorage",
        ScalarType.Float16 => "HalfStorage",
        ScalarType.BFloat16 => "BFloat16Storage",
        ScalarType.Int64 => "LongStorage",
        _ => "FloatStorage",
    };
}
