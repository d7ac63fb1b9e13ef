using System.Globalization;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ClipTokenizerTests
{
    private const int Seed = 7;
    private static readonly string[] Captions =
        ["a photo of a red apple", "a photo of a green pear", "the red pear", "Grüne Äpfel", "日本 日本"];

    [TestMethod]
    public void Encode_EmptyText_IsStartAndEnd()
    {
        var tokenizer = ClipTokenizer.Learn(Captions, 600);

        CollectionAssert.AreEqual(new[] { tokenizer.StartToken, tokenizer.EndToken }, tokenizer.Encode("  ", 77));
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(5)]
    [DataRow(30)]
    public void Encode_LongText_EndTokenStaysLast(int contextLength)
    {
        var tokenizer = ClipTokenizer.Learn(Captions, 600);
        var text = string.Concat(Enumerable.Repeat("red pear 42 ", 40));

        var ids = tokenizer.Encode(text, contextLength);

        Assert.HasCount(contextLength, ids);
        Assert.AreEqual(tokenizer.EndToken, ids[^1]);
        CollectionAssert.AreEqual(tokenizer.Encode(text, 1000)[..(contextLength - 1)], ids[..^1]);
    }

    [TestMethod]
    public void Encode_TextThatJustFits_IsNotCut()
    {
        var tokenizer = ClipTokenizer.Learn(Captions, 600);
        var whole = tokenizer.Encode("red pear 42", 77);

        CollectionAssert.AreEqual(whole, tokenizer.Encode("red pear 42", whole.Length));
    }

    [TestMethod]
    public void Encode_ContextOfOne_Throws()
    {
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ClipTokenizer.Learn(Captions, 600).Encode("a", 1));

        Assert.Contains("contextLength", error.Message);
    }

    [TestMethod]
    public void Encode_SpecialText_IsItsToken()
    {
        var tokenizer = ClipTokenizer.Learn(Captions, 600);

        CollectionAssert.AreEqual(
            new[] { tokenizer.StartToken, tokenizer.StartToken, tokenizer.EndToken, tokenizer.EndToken },
            tokenizer.Encode("<START_of_text> <end_of_text>", 77));
    }

    [TestMethod]
    public void Encode_VeryLongWord_IsCutWithoutError()
    {
        var tokenizer = ClipTokenizer.Learn(Captions, 600);

        var ids = tokenizer.Encode("x" + string.Concat(Enumerable.Repeat("\U00020000", 20_000)), 77);   // the cut falls inside a character

        Assert.HasCount(77, ids);
        CollectionAssert.AreEqual(ids, tokenizer.Encode("x" + string.Concat(Enumerable.Repeat("\U00020000", 4_000)), 77));
    }

    [TestMethod]
    public void Encode_MoreWordsThanCached_StaysRight()
    {
        var tokenizer = ClipTokenizer.Learn(Captions, 600);
        var before = tokenizer.Encode("photo zebra", 77);
        for (var i = 0; i < 20_000; i++) tokenizer.Encode(Letters(i), 77);

        CollectionAssert.AreEqual(before, tokenizer.Encode("photo zebra", 77));
        CollectionAssert.AreEqual(ClipTokenizer.Learn(Captions, 600).Encode("unseen", 77), tokenizer.Encode("unseen", 77));
    }

    [TestMethod]
    public void Decode_EncodedRandomUnicode_GivesTheWordsBack()
    {
        var tokenizer = ClipTokenizer.Learn(Captions, 700);
        var random = new Random(Seed);
        for (var i = 0; i < 500; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ => char.ConvertFromUtf32(random.Next(3) switch
            {
                0 => random.Next(0x20, 0x7F),
                1 => random.Next(0xA1, 0xD800),
                _ => random.Next(0x10000, 0x110000),
            })));
            var clean = TextCleaner.Clean(text).Replace("\u0345", "");   // a mark that the reference drops

            var decoded = tokenizer.Decode(tokenizer.Encode(text, 1000)[1..^1]);

            Assert.AreEqual(clean.Replace(" ", ""), decoded.Replace(" ", ""), $"seed {Seed}, text {i}");
        }
    }

    [TestMethod]
    public void Decode_CutCharacter_GivesReplacementCharacter()
    {
        var tokenizer = ClipTokenizer.Learn(["abc abc"], 514);

        Assert.AreEqual("�", tokenizer.Decode(tokenizer.Encode("é", 77)[1..2]));
    }

    private static string Letters(int number) =>
        string.Concat(number.ToString(CultureInfo.InvariantCulture).Select(c => (char)(c - '0' + 'a')));
}
