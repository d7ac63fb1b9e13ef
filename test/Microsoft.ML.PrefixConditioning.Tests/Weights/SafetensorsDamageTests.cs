using System.Buffers.Binary;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A file can come from anywhere: whatever is in it, it is read or refused, and takes no more memory than it has bytes.</summary>
[TestClass]
public sealed class SafetensorsDamageTests
{
    private static readonly Dictionary<string, (byte[] File, string Fault)> Faulty = new()
    {
        ["empty file"] = ([], "The safetensors data end inside the header's length: 8 bytes expected, 0 found. The file is truncated."),
        ["four bytes"] = ([1, 2, 3, 4],
            "The safetensors data end inside the header's length: 8 bytes expected, 4 found. The file is truncated."),
        ["header of no length"] = (new byte[16],
            "The safetensors header claims 0 bytes; 2 to 100000000 are allowed. This is not a safetensors file, or it is damaged."),
        ["header beyond the limit"] = (WithLength(100_000_001, 64),
            "The safetensors header claims 100000001 bytes; 2 to 100000000 are allowed."),
        ["header of 2^64 - 1 bytes"] = (WithLength(ulong.MaxValue, 64),
            "The safetensors header claims 18446744073709551615 bytes; 2 to 100000000 are allowed."),
        ["header beyond the file"] = (WithLength(65, 64),
            "The safetensors header claims 65 bytes, but only 64 follow. The file is truncated."),
        ["no JSON"] = (Of("{\"a\":", 0), "The safetensors header is not valid:"),
        ["an array"] = (Of("[1]", 0), "The safetensors header is not valid:"),
        ["deep JSON"] = (Of("{\"a\":" + new string('[', 50) + new string(']', 50) + "}", 0), "The safetensors header is not valid:"),
        ["entry is no object"] = (Of("{\"a\":1}", 0), "The safetensors header is not valid:"),
        ["no type"] = (Of("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4), "The safetensors header is not valid:"),
        ["no shape"] = (Of("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4), "The safetensors header is not valid:"),
        ["no offsets"] = (Of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4), "The safetensors header is not valid:"),
        ["metadata is no object"] = (Of("{\"__metadata__\":3}", 0), "The safetensors header is not valid:"),
        ["metadata value is no text"] = (Of("{\"__metadata__\":{\"a\":3}}", 0), "The safetensors header is not valid:"),
        ["broken surrogate"] = (Of("{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4),
            "The safetensors header is not valid:"),
        ["unknown type"] = (Of(Entry("F8_E4M3", "1", "0,1"), 1),
            "Tensor 'a' has the type 'F8_E4M3'; F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL are known."),
        ["null type"] = (Of("{\"a\":{\"dtype\":null,\"shape\":[1],\"data_offsets\":[0,4]}}", 4), "Tensor 'a' has the type ''; F64"),
        ["negative dimension"] = (Of(Entry("F32", "-1", "0,4"), 4), "Tensor 'a' has the dimension -1; a dimension is 0 or more."),
        ["two negative dimensions"] = (Of(Entry("F32", "-1,-1", "0,4"), 4), "Tensor 'a' has the dimension -1; a dimension is 0 or more."),
        ["fractional dimension"] = (Of(Entry("F32", "1.5", "0,6"), 6), "The safetensors header is not valid:"),
        ["dimension beyond 64 bits"] = (Of(Entry("F32", "9223372036854775808", "0,4"), 4), "The safetensors header is not valid:"),
        ["overflowing shape"] = (Of(Entry("F32", "4611686018427387904,4", "0,0"), 0), "The safetensors header is not valid:"),
        ["overflow hidden by 0"] = (Of(Entry("F32", "0,4611686018427387904,4611686018427387904", "0,0"), 0),
            "The safetensors header is not valid:"),
        ["17 dimensions"] = (Of(Entry("F32", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "0,4"), 4),
            "Tensor 'a' has 2 offsets and 17 dimensions; expected 2 offsets and at most 16 dimensions."),
        ["three offsets"] = (Of(Entry("F32", "1", "0,4,8"), 4),
            "Tensor 'a' has 3 offsets and 1 dimensions; expected 2 offsets and at most 16 dimensions."),
        ["offsets backwards"] = (Of(Entry("F32", "1", "4,0"), 4), "Tensor 'a' lies at bytes 4 to 0, but its type and shape need 4 bytes."),
        ["negative offset"] = (Of(Entry("F32", "1", "-4,0"), 4), "Tensor 'a' lies at bytes -4 to 0, but its type and shape need 4 bytes."),
        ["size against shape"] = (Of(Entry("F32", "2", "0,4"), 4), "Tensor 'a' lies at bytes 0 to 4, but its type and shape need 8 bytes."),
        ["beyond the file"] = (Of(Entry("F32", "1000000000", "0,4000000000"), 4),
            "The tensors need 4000000000 bytes, but 4 follow the header. The file is truncated or has bytes that belong to no tensor."),
        ["truncated data"] = (Of(Entry("F32", "2", "0,8"), 7), "The tensors need 8 bytes, but 7 follow the header."),
        ["bytes behind the data"] = (Of(Entry("F32", "2", "0,8"), 9), "The tensors need 8 bytes, but 9 follow the header."),
        ["hole at the start"] = (Of(Entry("F32", "1", "4,8"), 8),
            "Tensor 'a' begins at byte 4, expected 0: the data overlap or have a hole."),
        ["hole between"] = (Of(Two("0,4", "8,12"), 12), "Tensor 'b' begins at byte 8, expected 4: the data overlap or have a hole."),
        ["overlap"] = (Of(Two("0,4", "2,6"), 6), "Tensor 'b' begins at byte 2, expected 4: the data overlap or have a hole."),
        ["same place"] = (Of(Two("0,4", "0,4"), 4), "begins at byte 0, expected 4: the data overlap or have a hole."),
        ["name twice"] = (Of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}," +
            "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8),
            "The safetensors header names 'a' twice."),
    };

    public static IEnumerable<string> FaultyCases => Faulty.Keys;

    private static byte[] Of(string header, int dataBytes) => SafetensorsTests.FileOf(header, dataBytes);

    private static string Entry(string type, string shape, string offsets) =>
        $"{{\"a\":{{\"dtype\":\"{type}\",\"shape\":[{shape}],\"data_offsets\":[{offsets}]}}}}";

    private static string Two(string first, string second) =>
        $"{{\"a\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[{first}]}}," +
        $"\"b\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[{second}]}}}}";

    private static byte[] WithLength(ulong length, int bytes)
    {
        var file = new byte[8 + bytes];
        BinaryPrimitives.WriteUInt64LittleEndian(file, length);
        return file;
    }

    [TestMethod]
    [DynamicData(nameof(FaultyCases))]
    public void Read_DamagedFile_SaysWhatIsWrong(string fault)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Safetensors.Read(new MemoryStream(Faulty[fault].File)));
        StringAssert.Contains(error.Message, Faulty[fault].Fault);
    }

    [TestMethod]
    public void ReadHeader_ClaimOfManyBytesInAShortStreamWithoutLength_TakesLittleMemory()
    {
        using var stream = new HashingStream(new MemoryStream(WithLength(99_000_000, 64)));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.ThrowsExactly<InvalidDataException>(() => Safetensors.ReadHeader(stream, out _));
        Assert.IsLessThan(4L << 20, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void Read_HeaderPaddedWithSpaces_IsValid()
    {
        using var scope = NewDisposeScope();
        var read = Safetensors.Read(new MemoryStream(Of(Entry("I16", "2", "0,4") + "     ", 4)));
        Assert.AreEqual(ScalarType.Int16, read["a"].dtype);
    }
}
