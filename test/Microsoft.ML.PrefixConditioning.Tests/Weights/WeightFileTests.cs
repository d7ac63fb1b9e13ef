using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class WeightFileTests
{
    private static byte[] Written(params KeyValuePair<string, Tensor>[] tensors)
    {
        using var stream = new MemoryStream();
        Safetensors.Write(stream, tensors, new Dictionary<string, string> { ["k"] = "v" });
        return stream.ToArray();
    }

    [TestMethod]
    [DataRow(ScalarType.Float16)]
    [DataRow(ScalarType.BFloat16)]
    [DataRow(ScalarType.Float64)]
    [DataRow(ScalarType.Float32)]
    public void Read_EveryWidth_IsWhatTorchConverts(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3, CPU);
        var values = cat([randn([1 << 20], generator: generator), tensor(new float[] { 0, -0f, 65504, 1e-7f, float.NegativeInfinity,
            float.PositiveInfinity })]).to_type(type);
        using var file = Safetensors.Open(new MemoryStream(Written(new("before", tensor(1f)), new("a", values),
            new("after", tensor(2f)))));
        var read = zeros(values.shape);
        file.Entries["a"].Read(read);
        CollectionAssert.AreEqual(values.to_type(ScalarType.Float32).bytes.ToArray(), read.bytes.ToArray());
        Assert.AreEqual("v", file.Metadata["k"]);
    }

    [TestMethod]
    public void Constructor_HeaderOf17Megabytes_IsRefusedUnread()
    {
        var file = new byte[(17 << 20) + 8];
        BitConverter.TryWriteBytes(file, 17L << 20);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Safetensors.Open(new MemoryStream(file)));
        Assert.AreEqual("The safetensors header claims 17825792 bytes; 2 to 16777216 are allowed. This is not a safetensors file, or it " +
            "is damaged.", error.Message);
        Assert.IsLessThan(1L << 20, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void Sharded_TwoFiles_ReadsFromBoth()
    {
        using var scope = NewDisposeScope();
        var files = new Dictionary<string, byte[]>
        {
            ["x-1.safetensors"] = Written(new KeyValuePair<string, Tensor>("a", tensor(1f))),
            ["x-2.safetensors"] = Written(new("b", tensor(2f)), new("c", tensor(3f))),
        };
        using var sharded = WeightFile.Join(Index("\"a\":\"x-1.safetensors\",\"c\":\"x-2.safetensors\",\"b\":\"x-2.safetensors\""),
            name => Safetensors.Open(new MemoryStream(files[name])));
        CollectionAssert.AreEquivalent((string[])["a", "b", "c"], sharded.Entries.Keys.ToArray());
        var read = zeros([]);
        sharded.Entries["c"].Read(read);
        Assert.AreEqual(3f, read.ToSingle());
    }

    [TestMethod]
    [DataRow("\"a\":\"../x\"", "The index names the file '../x'; only files of its own folder are read.")]
    [DataRow("\"a\":\"C:x\"", "The index names the file 'C:x'; only files of its own folder are read.")]
    [DataRow("\"a\":\"\"", "The index names the file ''")]
    [DataRow("\"a\":3", "This is neither a file of weights nor an index of such files: an index is a JSON object with \"weight_map\", " +
        "which gives the file of every tensor.")]
    [DataRow("", "The index names 0 files; 1 to 1000 are expected.")]
    [DataRow("\"a\":\"x\",\"a\":\"x\"", "The index names the tensor 'a' twice.")]
    [DataRow("\"a\":\"x\",\"q\":\"x\"", "The index says that 'x' holds 'q', but it does not.")]
    [DataRow("\"a\":\"x\"", "'x' holds 'b', which the index does not name there.")]
    public void Sharded_FaultyIndex_SaysWhatIsWrong(string map, string fault)
    {
        using var scope = NewDisposeScope();
        var file = Written(new("a", tensor(1f)), new("b", tensor(2f)));
        var error = Assert.ThrowsExactly<InvalidDataException>(() =>
            WeightFile.Join(Index(map), _ => Safetensors.Open(new MemoryStream(file))));
        StringAssert.StartsWith(error.Message, fault);
    }

    private static byte[] Index(string map) => Encoding.UTF8.GetBytes($"{{\"metadata\":{{\"total_size\":12}},\"weight_map\":{{{map}}}}}");
}
