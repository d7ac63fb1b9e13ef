namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class SmallFileTests : IDisposable
{
    private readonly DataTestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void Read_AsLongAsTheLimit_GivesAllBytes() =>
        DataTestRows.Equal<byte>([1, 2, 3], SmallFile.Read(_folder.Write("a", [1, 2, 3]), maxBytes: 3));

    [TestMethod]
    public void Read_LongerThanTheLimit_SaysBothLengths()
    {
        var path = _folder.Write("a", [1, 2, 3, 4]);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => SmallFile.Read(path, maxBytes: 3));
        Assert.AreEqual($"'{path}' has 4 bytes; at most 3 are expected. It is another kind of file.", error.Message);
    }

    [TestMethod]
    [DataRow(0, 0)]
    [DataRow(200_000, 200_000)]
    [DataRow(300_000, 200_001)]
    [DataRow(int.MaxValue, 200_001)]
    public void ReadUpTo_Length_GivesThatManyOrWhatThereIs(int length, int expected)
    {
        var content = Enumerable.Range(0, 200_001).Select(i => (byte)(i * 7)).ToArray();
        CollectionAssert.AreEqual(content[..expected], SmallFile.ReadUpTo(new MemoryStream(content), length));
    }

    [TestMethod]
    public void ReadAllBytes_ImageLargerThanAnyImage_IsRefused()
    {
        var path = Enormous("enormous.png", 1L << 31);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => ImageLocator.ReadAllBytes(path));
        Assert.Contains("has 2147483648 bytes", error.Message);
    }

    [TestMethod]
    [DataRow("merges.txt")]
    [DataRow("bpe_simple_vocab_16e6.txt")]
    [DataRow("tokenizer.json")]
    public void FromFile_VocabularyLargerThanAnyVocabulary_IsRefused(string name)
    {
        var path = Enormous(name, (64 << 20) + 1);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => ClipTokenizer.FromFile(path));
        Assert.Contains("has 67108865 bytes", error.Message);
    }

    [TestMethod]
    public void FromFile_IdsLargerThanAnyVocabulary_AreRefused()
    {
        _folder.Write("merges.txt", "#version: 0.2\n"u8.ToArray());
        Enormous("vocab.json", (64 << 20) + 1);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => ClipTokenizer.FromFile(_folder["vocab.json"]));
        Assert.Contains("has 67108865 bytes", error.Message);
    }

    private string Enormous(string name, long length)
    {
        var path = _folder.Write(name, []);
        using var stream = File.OpenWrite(path);
        stream.SetLength(length);   // without a block on disk
        return path;
    }
}
