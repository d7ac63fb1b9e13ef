using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Cleaning beyond the golden rows; expected values were checked against ftfy 6.3.1 and Python 3.11.</summary>
[TestClass]
public sealed class TextCleanerTests
{
    private const int Seed = 20240607;
    private const string Telling = "&#;<x1Σ'\u001B[\r\n€™Ããâ\u0301\uFFFD";   // characters that some step looks for

    [TestMethod]
    [DataRow("  A\t\r\n photo \u00A0 of\u3000cats ", "a photo of cats")]
    [DataRow("", "")]
    [DataRow(" \n\t ", "")]
    [DataRow("a\u2028b\u0085c", "a b…c")]
    public void Clean_WhiteSpace_IsCollapsed(string text, string expected) => Assert.AreEqual(expected, TextCleaner.Clean(text));

    [TestMethod]
    public void Clean_Null_Throws() => Assert.ThrowsExactly<ArgumentNullException>(() => TextCleaner.Clean(null!));

    [TestMethod]
    [DataRow("&lt;b&gt; &amp;amp; &eacute;", "<b> & é")]
    [DataRow("P&EACUTE;REZ and &SZLIG;", "pérez and ss")]
    [DataRow("<i>&amp;amp;lt;</i>", "<i>&lt;</i>")]               // HTML: only the two plain passes
    [DataRow("&notit; &notin; &not", "¬it; ∉ ¬")]
    [DataRow("&#x80; &#128; &#0; &#xD800; &#x110000; &#99999999999; &#1; &#xFFFE;.", "€ € � � � � .")]
    [DataRow("&#59; &#x41Z &; &#; &#x; &", "; az &; &#; &#x; &")]
    [DataRow("&CounterClockwiseContourIntegral; &fjlig;", "∳ fj")]
    [DataRow("&NotEqualTilde;", "≂\u0338")]
    public void Clean_CharacterReferences_AreResolved(string text, string expected) => Assert.AreEqual(expected, TextCleaner.Clean(text));

    [TestMethod]
    [DataRow("ΟΔΟΣ", "οδος")]
    [DataRow("ΟΔΟΣ. ΣΑΣ, Σ", "οδος. σας, σ")]
    [DataRow("Α\u0301Σ'", "ά" + "ς'")]
    [DataRow("ΑΣ'Α", "ασ'α")]
    [DataRow("İSTANBUL I", "i\u0307stanbul i")]
    [DataRow("\U00010400", "\U00010428")]
    [DataRow("ⅧⒶ", "ⅷⓐ")]
    [DataRow("\u1E9E", "ß")]
    public void Clean_UpperCase_FollowsFullUnicodeRules(string text, string expected) => Assert.AreEqual(expected, TextCleaner.Clean(text));

    [TestMethod]
    [DataRow("cafe\u0301", "café")]
    [DataRow("a\u0307\u0323", "ạ\u0307")]
    [DataRow("\u1112\u1161\u11AB\u1100\u1173\u11AF", "한글")]
    [DataRow("\u212B", "å")]
    [DataRow("\u0958", "\u0915\u093C")]                           // excluded from composition
    [DataRow("\uF900", "\u8C48")]
    [DataRow("\U0001D15E", "\U0001D157\U0001D165")]
    public void Clean_Marks_AreComposed(string text, string expected) => Assert.AreEqual(expected, TextCleaner.Clean(text));

    [TestMethod]
    [DataRow("ﬂuﬃest ĳs ŉ", "fluffiest ijs 'n")]
    [DataRow("ＬＯＵＤ　ﾃﾞﾀ ￣", "loud デタ \u0304")]
    [DataRow("“a” ‘b’ ‚c„", "\"a\" 'b' 'c\"")]
    [DataRow("\u001B[31;1mred\u001B[0m \u001B[x \u001B[1", "red [1")]
    [DataRow("a\u0000b\u000Bc\uFEFFd\uFFFCe\u200Df", "abcde\u200Df")]
    [DataRow("a\u0081\u0092b", "a\u0081'b")]
    public void Clean_OddCharacters_AreReplaced(string text, string expected) => Assert.AreEqual(expected, TextCleaner.Clean(text));

    [TestMethod]
    public void Clean_LoneSurrogates_BecomeReplacementCharacters() =>
        Assert.AreEqual("� x � \U0001F600", TextCleaner.Clean("\uD83D x \uDE00 \uD83D\uDE00"));   // attributes cannot hold them

    [TestMethod]
    [DataRow("schÃ¶n", "schön")]
    [DataRow("voilÃ le travail", "voilà le travail")]
    [DataRow("â€œ like this â€\uFFFD", "\" like this �")]            // a byte was lost
    [DataRow("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет")]
    [DataRow("РїСЂРёРІРµС‚", "привет")]                            // UTF-8 as windows-1251
    [DataRow("âœ” No problems", "✔ no problems")]
    [DataRow("l’humanitÃ©", "l'humanité")]                       // only a part is mojibake
    [DataRow("\u00ED\u00A0\u00BD\u00ED\u00B8\u0080", "\U0001F600")]   // CESU-8
    [DataRow("caf√©", "café")]                                   // UTF-8 as Mac Roman
    [DataRow("ÃƒÂ©", "é")]                                       // twice
    [DataRow("Á la carte, à la mode, Ø 5 µm, 20 °C, £5", "á la carte, à la mode, ø 5 µm, 20 °c, £5")]   // nothing to repair
    [DataRow("naïve café über Straße", "naïve café über straße")]
    public void Clean_Mojibake_IsReadAgain(string text, string expected) => Assert.AreEqual(expected, TextCleaner.Clean(text));

    [TestMethod]
    public void Clean_RandomUnicode_NeverThrowsAndStaysClean()
    {
        var random = new Random(Seed);
        for (var i = 0; i < 3_000; i++)
        {
            var text = RandomText(random);
            var repaired = TextRepair.Repair(text);
            var clean = TextCleaner.Clean(text);

            // ftfy repairs until nothing changes, so a second repair finds nothing (a '<' that it brought out ends that: see Repair).
            if (!repaired.Contains('<')) Assert.AreEqual(repaired, TextRepair.Repair(repaired), $"seed {Seed}, text {i}");
            Assert.AreEqual(clean, TextCleaner.CollapseWhiteSpace(clean), $"seed {Seed}, text {i}");
            Assert.AreEqual(clean, LowerCase.Apply(clean), $"seed {Seed}, text {i}");
            Assert.IsTrue(IsWellFormed(clean), $"seed {Seed}, text {i}");
        }
    }

    private static string RandomText(Random random)
    {
        var text = new StringBuilder();
        for (var i = random.Next(1, 24); i > 0; i--)
        {
            var code = random.Next(8) switch
            {
                0 or 1 => random.Next(0x20, 0x7F),
                2 or 3 => random.Next(0x80, 0x250),
                4 => Telling[random.Next(Telling.Length)],
                5 => random.Next(0x250, 0x3100),
                6 => random.Next(0x10000),                        // lone surrogates among them
                _ => random.Next(0x10000, 0x110000),
            };
            if (code < 0x10000) text.Append((char)code);
            else text.Append(char.ConvertFromUtf32(code));
        }
        return text.ToString();
    }

    private static bool IsWellFormed(string text)
    {
        for (var i = 0; i < text.Length; i++)
            if (char.IsSurrogate(text[i]) && !char.IsSurrogatePair(text, i++)) return false;
        return true;
    }
}
