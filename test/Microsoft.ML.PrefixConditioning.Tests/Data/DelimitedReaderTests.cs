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
    public void Read_Tsv_OnlyWhollyQuotedFieldsLoseTheirQuotes(string text, string expected) => Assert.AreEqual(expected, Read(text, '\t'));

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
    [DataRow("a\n\"b\"c,d\n", "'t', line 2: 'c' follows a closing quote, where a separator or the line's end was expected. " +
        "Double the quotes inside a quoted field.")]
    [DataRow("a\nb,\"c\nd\ne",
        "'t', line 2: a field begins with a quote that is never closed. Close it, or double it and quote the whole field.")]
    [DataRow("a\nb\0\n", "'t', line 2: there is a zero byte, as in UTF-16 text or in a file that is no table. Save the table as UTF-8.")]
    public void Read_FaultyCsv_SaysLineAndRemedy(string text, string message) =>
        Assert.AreEqual(message, DataTestRows.Fails<InvalidDataException>(() => Read(text, ',')).Message);

    [TestMethod]
    public void Read_InvalidUtf8_SaysLineAndByte()
    {
        byte[] latin1 = [.. "a\nb\ncaf"u8, 0xE9, .. ",x\n"u8];
        using var reader = Open(latin1, ',');
        Assert.AreEqual("'t', line 3: byte 4 of the line (0xE9) is not UTF-8. Save the table as UTF-8.",
            DataTestRows.Fails<InvalidDataException>(() => { while (reader.Read()) { } }).Message);
    }

    [TestMethod]
    public void Read_Utf16_IsNamed()
    {
        using var reader = Open([.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes("a\tb\n")], '\t');
        Assert.AreEqual("'t', line 1: the table is UTF-16. Save it as UTF-8.",
            DataTestRows.Fails<InvalidDataException>(() => reader.Read()).Message);
    }

    [TestMethod]
    public void Read_EndlessLine_IsRefused()
    {
        using var reader = Open(Enumerable.Repeat((byte)'x', (1 << 24) + 100_000).ToArray(), '\t');
        Assert.AreEqual("'t', line 1: the line is longer than 16777216 bytes. This is not a table of captions.",
            DataTestRows.Fails<InvalidDataException>(() => reader.Read()).Message);
    }

    private static DelimitedReader Open(byte[] bytes, char separator) => new(new MemoryStream(bytes), "t", separator);

    private static string Read(string text, char separator)
    {
        using var reader = Open(Encoding.UTF8.GetBytes(text), separator);
        var records = new List<string>();
        while (reader.Read()) records.Add(string.Join('|', reader.Fields));
        return string.Join(';', records);
    }
}
