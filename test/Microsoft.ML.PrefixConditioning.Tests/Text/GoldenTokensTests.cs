using System.IO.Compression;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Every string of the reference: cleaned text and ids must be equal, without tolerance (they are no measurements).</summary>
[TestClass]
public sealed class GoldenTokensTests
{
    private static ClipTokenizer _tokenizer = null!;

    [ClassInitialize]
    public static void ReadVocabulary(TestContext _) =>
        _tokenizer = ClipTokenizer.FromFile(Golden.Path("tokenizer", "bpe_simple_vocab_16e6.txt.gz"));

    [TestMethod]
    [DataRow("tokens_plain.jsonl.gz", 1554)]
    [DataRow("tokens_ftfy_light.jsonl", 136)]
    [DataRow("tokens_ftfy_mojibake.jsonl", 26)]
    public void Clean_GoldenText_EqualsReference(string file, int count)
    {
        var faults = new List<string>();
        var rows = 0;
        foreach (var row in Rows(file))
        {
            rows++;
            var clean = TextCleaner.Clean(row.GetProperty("text").GetString()!);
            if (clean != row.GetProperty("clean").GetString())
                faults.Add($"row {row.GetProperty("id")}: {JsonSerializer.Serialize(clean)}, expected {row.GetProperty("clean")}");
        }
        Assert.AreEqual(count, rows);
        Assert.IsEmpty(faults, string.Join('\n', faults));
    }

    [TestMethod]
    [DataRow("tokens_plain.jsonl.gz", 1554)]
    [DataRow("tokens_ftfy_light.jsonl", 136)]
    [DataRow("tokens_ftfy_mojibake.jsonl", 26)]
    public void Encode_GoldenText_EqualsReference(string file, int count)
    {
        var faults = new List<string>();
        var rows = 0;
        foreach (var row in Rows(file))
        {
            rows++;
            var ids = _tokenizer.Encode(row.GetProperty("text").GetString()!, 77);
            if (!ids.SequenceEqual(Ids(row.GetProperty("ids"))))
                faults.Add($"row {row.GetProperty("id")}: {string.Join(' ', ids)}, expected {row.GetProperty("ids").GetRawText()}");
        }
        Assert.AreEqual(count, rows);
        Assert.IsEmpty(faults, string.Join('\n', faults));
    }

    [TestMethod]
    public void FromFile_ClipVocabulary_HasReferenceFacts()
    {
        var info = Info();

        Assert.AreEqual(info.GetProperty("vocab_size").GetInt32(), _tokenizer.VocabularySize);
        Assert.AreEqual(info.GetProperty("sot_id").GetInt32(), _tokenizer.StartToken);
        Assert.AreEqual(info.GetProperty("eot_id").GetInt32(), _tokenizer.EndToken);
        Assert.AreEqual(_tokenizer.VocabularySize - 1, _tokenizer.EndToken);
    }

    [TestMethod]
    public void Encode_GoldenContextLengths_EqualReferenceBeforePadding()
    {
        foreach (var example in Info().GetProperty("context_length_examples").EnumerateArray())
        {
            var length = example.GetProperty("context_length").GetInt32();
            var ids = _tokenizer.Encode(example.GetProperty("text").GetString()!, length);

            Array.Resize(ref ids, length);   // the reference's padding is 0
            CollectionAssert.AreEqual(Ids(example.GetProperty("ids_padded")), ids);
        }
    }

    [TestMethod]
    public void Decode_GoldenIds_EqualReference()
    {
        foreach (var example in Info().GetProperty("decode_examples").EnumerateArray())
            Assert.AreEqual(example.GetProperty("decoded").GetString(), _tokenizer.Decode(Ids(example.GetProperty("ids"))));
    }

    [TestMethod]
    public void Decode_SingleGoldenId_EqualsReferenceSymbol()
    {
        foreach (var entry in Info().GetProperty("sample_decoder").EnumerateObject())
        {
            // The reference's table has symbols of the byte alphabet; as text they are bytes, which may be no UTF-8 alone.
            var symbol = entry.Value.GetString()!;
            var word = symbol.StartsWith('<') ? symbol : symbol.Replace("</w>", " ");
            var bytes = word.Select(c => c == ' ' ? (byte)' ' : TokenDecoding.ByteOf(c)).ToArray();
            Assert.AreEqual(System.Text.Encoding.UTF8.GetString(bytes), _tokenizer.Decode([int.Parse(entry.Name)]), entry.Name);
        }
    }

    [TestMethod]
    public void Encode_ManyThreads_EqualsReference()
    {
        var rows = Rows("tokens_plain.jsonl.gz").ToArray();
        var fresh = ClipTokenizer.FromFile(Golden.Path("tokenizer", "bpe_simple_vocab_16e6.txt.gz"));

        var faults = Enumerable.Range(0, 4 * rows.Length).AsParallel().WithDegreeOfParallelism(4).Count(i =>
        {
            var row = rows[i * 7 % rows.Length];
            return !fresh.Encode(row.GetProperty("text").GetString()!, 77).SequenceEqual(Ids(row.GetProperty("ids")));
        });

        Assert.AreEqual(0, faults);
    }

    private static IEnumerable<JsonElement> Rows(string file)
    {
        using var stream = File.OpenRead(Golden.Path("tokenizer", file));
        using var lines = new StreamReader(file.EndsWith(".gz", StringComparison.Ordinal)
            ? new GZipStream(stream, CompressionMode.Decompress) : stream);
        while (lines.ReadLine() is { } line) yield return JsonDocument.Parse(line).RootElement;
    }

    private static JsonElement Info() => JsonDocument.Parse(File.ReadAllText(Golden.Path("tokenizer", "tokenizer_info.json"))).RootElement;

    private static int[] Ids(JsonElement array) => array.EnumerateArray().Select(id => id.GetInt32()).ToArray();
}
