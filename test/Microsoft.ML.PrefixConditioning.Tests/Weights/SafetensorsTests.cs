using System.Buffers.Binary;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class SafetensorsTests
{
    private static KeyValuePair<string, Tensor>[] Examples() =>
    [
        new("a.weight", tensor((float[])[1, -2, 3.5f, float.NaN, 5, 6], [2, 3])),
        new("scalar", tensor(7.25f)),
        new("empty", zeros([0, 4], ScalarType.Float32)),
        new("ünïcode \"name\"", tensor(new long[] { long.MinValue, 0, long.MaxValue })),
        new("f64", tensor(new[] { Math.PI })), new("f16", tensor(new float[] { 0.5f, 3 }).to_type(ScalarType.Float16)),
        new("bf16", tensor(new float[] { 0.5f, 3 }).to_type(ScalarType.BFloat16)), new("i32", tensor(new[] { 1, -1 })),
        new("i16", tensor(new short[] { 1, -1 })), new("i8", tensor(new sbyte[] { 1, -1 })), new("u8", tensor(new byte[] { 1, 255 })),
            new("bool", tensor((bool[])[true, false])),
    ];

    private static byte[] Written(IReadOnlyCollection<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string,
        string>? metadata = null)
    {
        using var stream = new MemoryStream();
        Safetensors.Write(stream, tensors, metadata);
        return stream.ToArray();
    }

    /// <summary>A file with a header of one's own.</summary>
    internal static byte[] FileOf(string header, int dataBytes)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, json.Length);
        json.CopyTo(file, 8);
        return file;
    }

    [TestMethod]
    public void Read_WrittenTensors_AreEqual()
    {
        using var scope = NewDisposeScope();
        var examples = Examples();
        var read = Safetensors.Read(new MemoryStream(Written(examples)));
        CollectionAssert.AreEquivalent(examples.Select(e => e.Key).ToArray(), read.Keys);
        foreach (var (name, tensor) in examples)
        {
            Assert.AreEqual(tensor.dtype, read[name].dtype, name);
            CollectionAssert.AreEqual(tensor.shape, read[name].shape, name);
            if (tensor.numel() > 0) CollectionAssert.AreEqual(tensor.bytes.ToArray(), read[name].bytes.ToArray(), name);
        }
    }

    [TestMethod]
    public void Write_Twice_GivesEqualBytesAlignedTo8()
    {
        using var scope = NewDisposeScope();
        var metadata = new Dictionary<string, string> { ["format"] = "pt" };
        var first = Written(Examples(), metadata);
        CollectionAssert.AreEqual(first, Written(Examples(), metadata));
        Assert.AreEqual(0, BinaryPrimitives.ReadInt64LittleEndian(first) % 8);
    }

    [TestMethod]
    public void Write_TransposedTensorWithGradient_WritesItsValuesInOrder()
    {
        using var scope = NewDisposeScope();
        var weight = tensor(new float[] { 1, 2, 3, 4, 5, 6 }, [2, 3]).requires_grad_().transpose(0, 1);
        var read = Safetensors.Read(new MemoryStream(Written([new("t", weight)])))["t"];
        DataTestRows.Equal<long>([3, 2], read.shape);
        DataTestRows.Equal<float>([1, 4, 2, 5, 3, 6], read.data<float>().ToArray());
    }

    [TestMethod]
    public void Write_ComplexTensor_SaysItCannot()
    {
        using var scope = NewDisposeScope();
        var error = Assert.ThrowsExactly<NotSupportedException>(() => Written([new("c", zeros([2], ScalarType.ComplexFloat32))]));
        Assert.AreEqual("Tensors of type ComplexFloat32 cannot be written as safetensors.", error.Message);
    }

    [TestMethod]
    public void ReadHeader_Metadata_ComesBack()
    {
        using var scope = NewDisposeScope();
        var file = Written([new("a", tensor(1f))], new Dictionary<string, string> { ["step"] = "7", ["name"] = "ü" });
        var entries = Safetensors.ReadHeader(new MemoryStream(file), out var metadata);
        Assert.AreEqual("a", entries.Single().Name);
        Assert.AreEqual(("7", "ü"), (metadata["step"], metadata["name"]));
    }

    [TestMethod]
    public void Load_MissingFile_Throws() =>
        Assert.ThrowsExactly<FileNotFoundException>(() => Safetensors.Load("no-such-file.safetensors"));

    [TestMethod]
    public void ReadInto_FittingTensors_FillsThemInPlace()
    {
        using var scope = NewDisposeScope();
        var file = Written([new("a", tensor(new float[] { 1, 2 })), new("b", tensor(new float[] { 3, 4, 5, 6 }, [2, 2]))]);
        // a leaf with a gradient, and one that is not contiguous when sliced
        Tensor a = zeros(2).requires_grad_(), b = zeros(2, 2).transpose(0, 1);
        var sliced = zeros(4, 2)[torch.TensorIndex.Slice(0, 4, 2)];
        Safetensors.ReadInto(new MemoryStream(file), new Dictionary<string, Tensor> { ["a"] = a, ["b"] = sliced });
        DataTestRows.Equal<float>([1, 2], a.data<float>().ToArray());
        DataTestRows.Equal<float>([3, 4, 5, 6], sliced.contiguous().data<float>().ToArray());
        Safetensors.ReadInto(new MemoryStream(file), new Dictionary<string, Tensor> { ["a"] = a, ["b"] = b });
        DataTestRows.Equal<float>([3, 4, 5, 6], b.contiguous().data<float>().ToArray());
    }

    [TestMethod]
    public void ReadInto_TensorsThatDoNotFit_SaysWhich()
    {
        using var scope = NewDisposeScope();
        var file = Written([new("a", tensor(new float[] { 1, 2 }))]);
        void Fails(string message, params (string Name, Tensor Tensor)[] destination)
        {
            var error = Assert.ThrowsExactly<InvalidDataException>(
                () => Safetensors.ReadInto(new MemoryStream(file), destination.ToDictionary(d => d.Name, d => d.Tensor)));
            Assert.AreEqual(message, error.Message);
        }
        Fails("The weights lack 'b', 'c'; the file does not fit this architecture.", ("a", zeros(2)), ("b", zeros(1)), ("c", zeros(1)));
        Fails("The weights hold 'a', which this architecture does not have.");
        Fails("Tensor 'a' is Float32 [2], expected Float32 [1, 2].", ("a", zeros(1, 2)));
        Fails("Tensor 'a' is Float32 [2], expected Float32 [3].", ("a", zeros(3)));
        Fails("Tensor 'a' is Float32 [2], expected Float64 [2].", ("a", zeros([2], ScalarType.Float64)));
    }

    [TestMethod]
    public void ReadInto_StreamWithoutLength_IsReadAndTruncationFound()
    {
        using var scope = NewDisposeScope();
        var file = Written([new("a", tensor(new float[] { 1, 2 }))]);
        var a = zeros(2);
        using (var stream = new HashingStream(new MemoryStream(file))) Safetensors.ReadInto(stream, new Dictionary<string,
            Tensor>
        { ["a"] = a });
        DataTestRows.Equal<float>([1, 2], a.data<float>().ToArray());
        using var cut = new HashingStream(new MemoryStream(file[..^3]));
        var error = Assert.ThrowsExactly<InvalidDataException>(() =>
            Safetensors.ReadInto(cut, new Dictionary<string, Tensor> { ["a"] = a }));
        Assert.AreEqual("The safetensors data end inside tensor 'a': 8 bytes expected, 5 found. The file is truncated.", error.Message);
    }

    [TestMethod]
    public void Read_FaultyFile_LeavesNoTensorBehind()
    {
        using var scope = NewDisposeScope();
        var file = Written(Examples());
        Assert.ThrowsExactly<InvalidDataException>(() => Safetensors.Read(new MemoryStream(file[..^1])));
        var before = LiveTensors.Count();
        Assert.ThrowsExactly<InvalidDataException>(() => Safetensors.Read(new MemoryStream(file[..^1])));
        Assert.AreEqual(before, LiveTensors.Count());
    }
}
