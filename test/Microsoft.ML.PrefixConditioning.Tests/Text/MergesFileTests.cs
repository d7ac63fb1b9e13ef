using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class MergesFileTests
{
    private static readonly string[] Texts = ["a photo of a cat", "¡Olé! it's 25% off 日本 😀", "the quick brown fox-jumps"];

    private static readonly string[] TwoMerges = ["i n", "t h"];
    private static readonly Lazy<ClipTokenizer> Expected = new(() => ClipTokenizer.FromFile(ClipFile));

    private string _folder = "";

    [TestInitialize]
    public void CreateFolder() => _folder = Directory.CreateTempSubdirectory("merges-file-tests-").FullName;

    [TestCleanup]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    public void FromFile_Unpacked_EncodesAlike() => AssertEncodesAlike(Write("vocab.txt", Unpacked()));

    [TestMethod]
    public void FromFile_WindowsLineEnds_EncodesAlike() =>
        AssertEncodesAlike(Write("vocab.txt", string.Join("\r\n", Unpacked().Split('\n')[..48_895])));

    [TestMethod]
    public void FromFile_FolderWithClipFile_EncodesAlike()
    {
        File.Copy(ClipFile, Path.Combine(_folder, "bpe_simple_vocab_16e6.txt.gz"));

        AssertEncodesAlike(_folder);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("vocab.json")]
    [DataRow("merges.txt")]
    public void FromFile_HuggingFaceLayout_EncodesAlike(string file)
    {
        WriteHuggingFace(ClipLines());

        AssertEncodesAlike(Path.Combine(_folder, file));
    }

    [TestMethod]
    public void FromFile_MergesWithoutVocabulary_EncodesAlike()
    {
        WriteHuggingFace(ClipLines());
        File.Delete(Path.Combine(_folder, "vocab.json"));

        AssertEncodesAlike(Path.Combine(_folder, "merges.txt"));
    }

    [TestMethod]
    public void FromFile_NoHeader_FirstLineCounts() =>
        Assert.AreEqual(514 + 2, ClipTokenizer.FromFile(Write("merges.txt", "a b\nab c</w>\n")).VocabularySize);

    [TestMethod]
    public void FromFile_Missing_SaysWhatIsExpected()
    {
        var path = Path.Combine(_folder, "none.gz");

        AssertError<FileNotFoundException>(path, $"'{path}'", "bpe_simple_vocab_16e6.txt.gz", "vocab.json", "Download");
    }

    [TestMethod]
    public void FromFile_EmptyFolder_SaysWhatLacks() =>
        AssertError<FileNotFoundException>(_folder, $"'{_folder}' has no 'vocab.json'", "Expected");

    [TestMethod]
    public void FromFile_VocabularyWithoutMerges_SaysWhatLacks() =>
        AssertError<FileNotFoundException>(Write("vocab.json", "{}"), "has no 'merges.txt'");

    [TestMethod]
    public void FromFile_EmptyPath_Throws() => Assert.ThrowsExactly<ArgumentException>(() => ClipTokenizer.FromFile(" "));

    [TestMethod]
    public void FromFile_OtherText_NamesTheLine() => AssertError<InvalidDataException>(
        Write("x.txt", "#version: 0.2\na b\nthree words here\n"), "no merges file: line 3 is 'three words here'", "Expected");

    [TestMethod]
    public void FromFile_BinaryFile_SaysNoText()
    {
        var path = Path.Combine(_folder, "x.bin");
        File.WriteAllBytes(path, [0x50, 0x4B, 3, 4, 0xFF, 0xFE]);

        AssertError<InvalidDataException>(path, "not UTF-8 text");
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("#version: 0.2\n")]
    public void FromFile_NoMerges_SaysSo(string content) => AssertError<InvalidDataException>(Write("x.txt", content), "holds no merges");

    [TestMethod]
    public void FromFile_DuplicateMerge_NamesBoth() => AssertError<InvalidDataException>(
        Write("x.txt", "a b\nc d\na b\n"), "x.txt", "Merge 3 ('a' and 'b') makes 'ab', which merge 1 makes already");

    [TestMethod]
    public void FromFile_SameSymbolOtherwise_NamesBoth() => AssertError<InvalidDataException>(
        Write("x.txt", "a b\nab c\nb c\na bc\n"), "Merge 4 ('a' and 'bc') makes 'abc', which merge 2 makes");

    [TestMethod]
    public void FromFile_UnknownSymbol_NamesIt() => AssertError<InvalidDataException>(
        Write("x.txt", "a b\nab xq\n"), "Merge 2 ('ab' and 'xq') joins 'xq'", "out of order or incomplete");

    [TestMethod]
    [DataRow(0.99)]
    [DataRow(0.5)]
    [DataRow(0.00001)]
    public void FromFile_TruncatedGzip_SaysDownloadAgain(double part)
    {
        var bytes = File.ReadAllBytes(ClipFile);
        var path = Path.Combine(_folder, "vocab.gz");
        File.WriteAllBytes(path, bytes[..(int)(part * bytes.Length)]);

        AssertError<InvalidDataException>(path, "cannot be unpacked", "Download it again");
    }

    [TestMethod]
    public void FromFile_DamagedGzip_SaysDownloadAgain()
    {
        var bytes = File.ReadAllBytes(ClipFile);
        bytes.AsSpan(bytes.Length / 2, 64).Fill(0x55);
        var path = Path.Combine(_folder, "vocab.gz");
        File.WriteAllBytes(path, bytes);

        AssertError<InvalidDataException>(path, "cannot be unpacked");
    }

    [TestMethod]
    public void FromFile_EnormousGzip_IsRefused()
    {
        var path = Path.Combine(_folder, "vocab.gz");
        using (var gzip = new GZipStream(File.Create(path), CompressionLevel.Fastest))
            for (var i = 0; i < 65; i++) gzip.Write(new byte[1 << 20]);

        AssertError<InvalidDataException>(path, "more than 64 MB");
    }

    [TestMethod]
    public void FromFile_IdsOfAnotherLayout_NamesTheFirst()
    {
        WriteHuggingFace(TwoMerges, ids => (ids["th"], ids["in"]) = (ids["in"], ids["th"]));

        AssertError<InvalidDataException>(_folder, "does not fit 'merges.txt'", "'in' has id 513, the merges give it id 512");
    }

    [TestMethod]
    public void FromFile_SymbolMissing_NamesIt()
    {
        WriteHuggingFace(TwoMerges, ids => ids.Remove("th"));

        AssertError<InvalidDataException>(_folder, "'th' has no id, the merges give it id 513");
    }

    [TestMethod]
    [DataRow("<|startoftext|>", "no start token", 514)]
    [DataRow("<|endoftext|>", "no end token", 515)]
    public void FromFile_SpecialTokenMissing_NamesIt(string token, string expected, int id)
    {
        WriteHuggingFace(TwoMerges, ids => ids.Remove(token));

        AssertError<InvalidDataException>(_folder, expected, token, $"has id {id}");
    }

    [TestMethod]
    public void FromFile_AdditionalToken_IsRefused()
    {
        WriteHuggingFace(TwoMerges, ids => ids["<pad>"] = 516);

        AssertError<InvalidDataException>(_folder, "it has 517 entries, the merges give 516");
    }

    [TestMethod]
    [DataRow("[1, 2]")]
    [DataRow("{\"a\": \"b\"}")]
    [DataRow("{")]
    public void FromFile_VocabularyNoIds_SaysSo(string json)
    {
        WriteHuggingFace(TwoMerges);
        Write("vocab.json", json);

        AssertError<InvalidDataException>(_folder, "vocab.json' is no vocabulary", "JSON object");
    }

    private static string ClipFile => Golden.Path("tokenizer", "bpe_simple_vocab_16e6.txt.gz");

    private static string Unpacked()
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(ClipFile), CompressionMode.Decompress), Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private string Write(string name, string content)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, content);
        return path;
    }

    private static string[] ClipLines() => Unpacked().Split('\n')[1..48_895];

    // The two files as Hugging Face distributes them.
    private void WriteHuggingFace(string[] lines, Action<Dictionary<string, int>>? change = null)
    {
        var ids = new Dictionary<string, int>();
        foreach (var end in new[] { "", "</w>" })
            foreach (var c in ByteAlphabet.Symbols) ids.Add(c + end, ids.Count);
        foreach (var line in lines) ids.Add(line.Replace(" ", ""), ids.Count);
        foreach (var special in new[] { "<|startoftext|>", "<|endoftext|>" }) ids.Add(special, ids.Count);
        change?.Invoke(ids);
        Write("vocab.json", JsonSerializer.Serialize(ids));
        Write("merges.txt", "#version: 0.2\n" + string.Join('\n', lines) + '\n');
    }

    private static void AssertEncodesAlike(string path)
    {
        var expected = Expected.Value;
        var tokenizer = ClipTokenizer.FromFile(path);

        Assert.AreEqual(expected.VocabularySize, tokenizer.VocabularySize);
        foreach (var text in Texts) CollectionAssert.AreEqual(expected.Encode(text, 77), tokenizer.Encode(text, 77));
    }

    private static void AssertError<T>(string path, params string[] parts)
        where T : Exception
    {
        var error = Assert.ThrowsExactly<T>(() => ClipTokenizer.FromFile(path));
        foreach (var part in parts) Assert.Contains(part, error.Message);
    }
}
