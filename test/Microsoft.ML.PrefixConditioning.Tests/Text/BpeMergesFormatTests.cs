using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class BpeMergesFormatTests
{
    private static readonly string[] Captions = ["a photo of a red apple", "a photo of a green pear", "the red pear", "日本 日本"];

    [TestMethod]
    public void Load_Saved_EncodesAlike()
    {
        var tokenizer = ClipTokenizer.Learn(Captions, 600);

        var loaded = ClipTokenizer.Load(new MemoryStream(Save(tokenizer)));

        Assert.AreEqual(tokenizer.VocabularySize, loaded.VocabularySize);
        foreach (var text in Captions) CollectionAssert.AreEqual(tokenizer.Encode(text, 77), loaded.Encode(text, 77));
        CollectionAssert.AreEqual(Save(tokenizer), Save(loaded));
    }

    [TestMethod]
    public void Save_LearnedTwice_GivesEqualBytes() =>
        CollectionAssert.AreEqual(Save(ClipTokenizer.Learn(Captions, 600)), Save(ClipTokenizer.Learn(Captions.Reverse(), 600)));

    [TestMethod]
    public void Load_NoMerges_Works() =>
        Assert.AreEqual(514, ClipTokenizer.Load(new MemoryStream(Save(ClipTokenizer.Learn(["a"], 514)))).VocabularySize);

    [TestMethod]
    public void Load_MoreBehindIt_IsLeftInTheStream()
    {
        var saved = Save(ClipTokenizer.Learn(Captions, 600));
        using var stream = new MemoryStream([.. saved, 1, 2, 3]);

        ClipTokenizer.Load(stream);

        Assert.AreEqual(saved.Length, stream.Position);
    }

    [TestMethod]
    public void Load_EveryTruncation_SaysTruncated()
    {
        var saved = Save(ClipTokenizer.Learn(Captions, 540));
        for (var length = 0; length < saved.Length; length++)
        {
            var error = Assert.ThrowsExactly<InvalidDataException>(() => ClipTokenizer.Load(new MemoryStream(saved, 0, length)));
            Assert.Contains("truncated", error.Message);
        }
    }

    [TestMethod]
    public void Load_AnyFlippedBit_IsNoticed()
    {
        var saved = Save(ClipTokenizer.Learn(Captions, 540));
        for (var i = 0; i < 8 * saved.Length; i++)
        {
            var damaged = saved.ToArray();
            damaged[i / 8] ^= (byte)(1 << (i % 8));
            Assert.ThrowsExactly<InvalidDataException>(() => ClipTokenizer.Load(new MemoryStream(damaged)));
        }
    }

    [TestMethod]
    public void Load_OtherContent_SaysSo() => AssertError(new byte[64], "does not begin with 'CLIPBPE'");

    [TestMethod]
    public void Load_NewerVersion_SaysUpdate()
    {
        var saved = Save(ClipTokenizer.Learn(Captions, 540));
        saved[7] = 2;
        SHA256.HashData(saved.AsSpan(..^SHA256.HashSizeInBytes), saved.AsSpan(^SHA256.HashSizeInBytes..));

        AssertError(saved, "format version 2", "Update Microsoft.ML.PrefixConditioning");
    }

    [TestMethod]
    [DataRow(-1)]
    [DataRow(3)]
    [DataRow(int.MaxValue)]
    public void Load_ImpossibleCount_SaysDamaged(int count) => AssertError(Sealed(count, [1, 2, 3]), "damaged", $"claims {count} merges");

    [TestMethod]
    public void Load_ChangedContent_FailsTheCheckSum()
    {
        var saved = Save(ClipTokenizer.Learn(Captions, 540));
        saved[16] ^= 1;

        AssertError(saved, "is not what was saved");
    }

    [TestMethod]
    public void Load_IdFromTheFuture_SaysWhichExist() => AssertError(Sealed(1, [5, 0x80, 0x04]), "Merge 1 joins id 512", "0 to 511");

    [TestMethod]
    public void Load_SameMergeTwice_SaysWhich() => AssertError(Sealed(2, [1, 2, 1, 2]), "Merge 2", "merge 1 makes already");

    [TestMethod]
    public void Load_PayloadTooLong_SaysMore() => AssertError(Sealed(1, [1, 2, 3]), "only 2 of its 3 bytes are used");

    [TestMethod]
    public void Load_PayloadTooShort_SaysSo() => AssertError(Sealed(1, [1, 0x80]), "damaged: Unable to read beyond the end");

    private static byte[] Save(ClipTokenizer tokenizer)
    {
        using var stream = new MemoryStream();
        tokenizer.Save(stream);
        return stream.ToArray();
    }

    // A file with a right check sum, whatever it holds.
    private static byte[] Sealed(int count, byte[] payload)
    {
        var bytes = new byte[16 + payload.Length];
        "CLIPBPE\u0001"u8.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), count);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), payload.Length);
        payload.CopyTo(bytes, 16);
        return [.. bytes, .. SHA256.HashData(bytes)];
    }

    private static void AssertError(byte[] content, params string[] parts)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => ClipTokenizer.Load(new MemoryStream(content)));
        foreach (var part in parts) Assert.Contains(part, error.Message);
    }
}
