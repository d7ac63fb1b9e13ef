using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class DelimitedReaderTests
{
    [TestMethod]
    [DataRow("a,b\nc,d", "a|b;c|d")]
    [DataRow("a,b\r\nc,d\r\n", "a|b;c|d")]
    [DataRow("a,,\n,b,\n", "a||;|b|")]
    [DataRow("\"a,b\",c", "a,b|c")]
    [DataRow("\"say \"\"hi\"\"\",\"\"\r\n", "say \"hi\"|")]
    [DataRow("\"two\nlines\",x\ny,z", "two\nlines|x;y|z")]
    [DataRow("\"two\r\n\r\nlines\"\r\n", "two\r\n\r\nlines")]
    [DataRow("5\" disk,b", "5\" disk|b")]
    [DataRow("a, \"b\"", "a| \"b\"")]
    [DataRow("\n\r\na\n\n\n", "a")]
    [DataRow("", "")]
    [DataRow("\"\"", "")]
    [DataRow("a,\"b\"\r\n", "a|b")]
    [DataRow("a,b\rc,d\r", "a|b;c|d")]
    [DataRow("a,b\r\rc,d\ne,f\r\ng,h\r\r\n", "a|b;c|d;e|f;g|h")]
    [DataRow("\"a\rb\",c\rd,e", "a\rb|c;d|e")]
    [DataRow("a,b,\n\"\",,\n", "a|b|;||")]
    [DataRow("#1.png,a", "#1.png|a")]
    [DataRow("\uFEFFa,b\n", "a|b")]
    public void Read_Csv_FollowsRfc4180(string text, string expected) => Assert.AreEqual(expected, Read(text, ','));

    [TestMethod]
    [DataRow("a\tb, c\r\n", "a|b, c")]
    [DataRow("a\t\"quoted\"", "a|quoted")]
    [DataRow("a\t\"a \"\"b\"\" c\"", "a|a \"b\" c")]
    [DataRow("a\t\"x\" and \"y\"", "a|\"x\" and \"y\"")]
    [DataRow("a\t\"open", "a|\"open")]
    [DataRow("a\t\"\tb", "a|\"|b")]
    [DataRow("a\t\"\"\"\"", "a|\"")]
    [DataRow("a\t\"\"", "a|")]
    [DataRow("a\t\"\"\"", "a|\"\"\"")]
    [DataRow("a\tb\rc\td\r", "a|b;c|d")]
    [DataRow("h\ti\na\t\"two\nlines\"\nb\tc", "h|i;a|two\nlines;b|c")]
    [DataRow("h\ti\na\t\"two\r\nlines\"\r\nb\tc", "h|i;a|two\r\nlines;b|c")]
    [DataRow("h\ti\na\t\"x\ty\"\nb\tc", "h|i;a|x\ty;b|c")]
    [DataRow("h\ti\tj\na\t\"x\ny\"\tz\nb\tc\td", "h|i|j;a|x\ny|z;b|c|d")]
    [DataRow("h\ti\n\"two\nlines\"\ta\nb\tc", "h|i;two\nlines|a;b|c")]
    [DataRow("h\ti\na\t\"say \"\"hi\"\"\n\nthere\"\nb\tc", "h|i;a|say \"hi\"\n\nthere;b|c")]
    [DataRow("\"h\nh\"\ti\na\tb", "h\nh|i;a|b")]
    public void Read_TsvFieldQuotedCorrectly_LosesItsQuotes(string text, string expected) => Assert.AreEqual(expected, Read(text, '\t'));

    [TestMethod]
    [DataRow("a\t\"hello\" she said\nb\tc", "a|\"hello\" she said;b|c", DisplayName = "Text behind a closing quote")]
    [DataRow("a\t\"hello she said\nb\tc\nd\te", "a|\"hello she said;b|c;d|e", DisplayName = "Quote that is never closed")]
    [DataRow("h\ti\na\t\"hello she said\nb\the said \"bye\"\nc\td", "h|i;a|\"hello she said;b|he said \"bye\";c|d",
        DisplayName = "Two stray quotes, two rows apart")]
    [DataRow("h\ti\na\t\"hello\nb\tc\nd\t5\"\ne\tf", "h|i;a|\"hello;b|c;d|5\";e|f", DisplayName = "Inch mark at a line's end")]
    [DataRow("h\ti\tj\na\t\"x\ty\"\nb\tc\td", "h|i|j;a|\"x|y\";b|c|d", DisplayName = "Quotes of two fields")]
    public void Read_TsvQuotesOfWebCaptions_AreText(string text, string expected) => Assert.AreEqual(expected, Read(text, '\t'));

    [TestMethod]
    public void Read_TsvManyUnclosedQuotes_AllRowsAreThere()
    {
        var text = string.Concat(Enumerable.Range(0, 100_000).Select(i => $"{i}.png\t\"caption {i}\n"));
        using var reader = Open(Encoding.UTF8.GetBytes(text), '\t');
        var count = 0;
        while (reader.Read()) Assert.AreEqual($"\"caption {count++}", reader.Fields[1]);
        Assert.AreEqual(100_000, count);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void Read_Utf16WithByteOrderMark_IsRead(bool bigEndian)
    {
        var encoding = new UnicodeEncoding(bigEndian, byteOrderMark: true);
        Assert.AreEqual("Bild|Text;ä.png|ein Tür 😀",
            Read([.. encoding.Preamble, .. encoding.GetBytes("Bild\tText\r\nä.png\tein Tür 😀\r\n")], '\t'));
    }

    [TestMethod]
    public void Read_LineBreakAtTheBuffersEdge_IsOneLineBreak()
    {
        for (var length = (1 << 15) - 2; length <= (1 << 15) + 1; length++)
        {
            using var reader = Open([.. Enumerable.Repeat((byte)'x', length), .. "\r\ny\r"u8], ',');
            Assert.IsTrue(reader.Read() && reader.Read());
            Assert.AreEqual((2, "y", false), (reader.Line, reader.Fields.Single(), reader.Read()));
        }
    }

    [TestMethod]
    [DataRow("a\tb\tc", ',', " The line looks tab-separated: it has 2 of '\\t'. Set separator to '\\t'.")]
    [DataRow("a;b", ',', " The line looks semicolon-separated: it has 1 of ';'. Set separator to ';'.")]
    [DataRow("a,b", '\t', " The line looks comma-separated: it has 1 of ','. Set separator to ','.")]
    [DataRow("a|b, c|d", ',', " The line looks pipe-separated: it has 2 of '|'. Set separator to '|'.")]
    [DataRow("a,b;c", ',', "")]
    [DataRow("a", ',', "")]
    public void SeparatorHint_Line_NamesAnotherSeparatorOnlyWhereItFitsBetter(string text, char separator, string hint)
    {
        using var reader = Open(Encoding.UTF8.GetBytes(text), separator);
        Assert.IsTrue(reader.Read());
        Assert.AreEqual(hint, reader.SeparatorHint(otherwise: ""));
    }

    [TestMethod]
    public void Read_LinesAcrossBufferEdges_StayWhole()
    {
        // Lines of all lengths around the buffer's 64 KiB, in letters of three bytes
        var lines = Enumerable.Range(21_830, 30).Select(n => new string('語', n)).ToArray();
        Assert.AreEqual(string.Join(';', lines), Read(string.Join('\n', lines), '\t'));
    }

    [TestMethod]
    public void Read_QuotedLineBreaks_LineIsWhereTheRecordBegins()
    {
        using var reader = Open("a\n\"b\nb\nb\"\n\nc\n"u8.ToArray(), ',');
        var lines = new List<int>();
        while (reader.Read()) lines.Add(reader.Line);
        DataTestRows.Equal([1, 2, 6], lines);
    }

    [TestMethod]
    [DataRow("a\n\"b\"c,d\n", "'t', line 2: text follows a closing quote, where a separator or the line's end was expected. " +
        "Double the quotes inside a quoted field.")]
    [DataRow("a\nb,\"c\nd\ne",
        "'t', line 2: a field begins with a quote that is never closed. Close it, or double it and quote the whole field.")]
    [DataRow("a\nb\0\n", "'t', line 2: character 2 of the line is a zero byte, as in UTF-16 text without a byte order mark or in a " +
        "file that is not a table. Save the table as UTF-8.")]
    [DataRow("a\r\"b\rc\r\nd\"e,f\r", "'t', line 4: text follows a closing quote, where a separator or the line's end was expected. " +
        "Double the quotes inside a quoted field.")]
    public void Read_FaultyCsv_SaysLineAndRemedy(string text, string message) =>
        Assert.AreEqual(message, DataTestRows.Fails<InvalidDataException>(() => Read(text, ',')).Message);

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Read_InvalidUtf8_SaysLineAndCharacter(bool withByteOrderMark)
    {
        byte[] latin1 = [.. withByteOrderMark ? Encoding.UTF8.Preamble : [], .. "a\nb\ncaf"u8, 0xE9, .. ",x\n"u8];
        Assert.AreEqual("'t', line 3: character 4 of the line is not UTF-8. Save the table as UTF-8.",
            DataTestRows.Fails<InvalidDataException>(() => Read(latin1, ',')).Message);
    }

    [TestMethod]
    public void Read_Utf16WithoutByteOrderMark_IsAnError() =>
        Assert.AreEqual("'t', line 1: character 2 of the line is a zero byte, as in UTF-16 text without a byte order mark or in a file " +
            "that " +
            "is not a table. Save the table as UTF-8.",
            DataTestRows.Fails<InvalidDataException>(() => Read(Encoding.Unicode.GetBytes("a\tb\n"), '\t')).Message);

    [TestMethod]
    public void Read_EndlessLine_IsRefused()
    {
        using var reader = Open(Enumerable.Repeat((byte)'x', (1 << 24) + 100_000).ToArray(), '\t');
        Assert.AreEqual("'t', line 1: the line is longer than 16777216 characters. This is not a table of captions.",
            DataTestRows.Fails<InvalidDataException>(() => reader.Read()).Message);
    }

    private static DelimitedReader Open(byte[] bytes, char separator) => new(new MemoryStream(bytes), "t", separator);

    private static string Read(string text, char separator) => Read(Encoding.UTF8.GetBytes(text), separator);

    private static string Read(byte[] bytes, char separator)
    {
        using var reader = Open(bytes, separator);
        var records = new List<string>();
        while (reader.Read()) records.Add(string.Join('|', reader.Fields));
        return string.Join(';', records);
    }
}
