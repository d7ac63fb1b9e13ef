using System.Globalization;
using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Pieces of an HTML page as XML elements, which encode what they hold.</summary>
internal static class Markup
{
    private static readonly HashSet<string> Void = ["br", "img", "meta"];
    private static readonly HashSet<string> Shapes = ["circle", "line", "path", "rect"];

    /// <summary>A class attribute.</summary>
    public static XAttribute Class(string names) => new("class", names);

    /// <summary>A coordinate, with one decimal.</summary>
    public static XAttribute At(string name, double value) => new(name, Coordinate(value));

    /// <summary>A coordinate as SVG has it, with one decimal.</summary>
    public static string Coordinate(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);

    /// <summary>A value with a number format, in the invariant culture.</summary>
    public static string Format(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>A share as a percentage with one decimal; the space before the sign does not break.</summary>
    public static string Percent(double share) => Format(100 * share, "0.0") + "\u00A0%";

    /// <summary>A number with its noun.</summary>
    public static string Counted(long count, string noun) =>
        Format(count, "N0") + " " + (count == 1 ? noun : noun.EndsWith('s') ? noun + "es" : noun + "s");

    /// <summary>A sentence about rows that cannot be shown, after a space; empty if there are none.</summary>
    public static string LeftOut(long unreadableImages, long missing, string what) => unreadableImages + missing == 0 ? ""
        : $" Left out: {Counted(unreadableImages, "row")} with an unreadable image, {Counted(missing, "row")} without {what}.";

    /// <summary>A paragraph of less important text.</summary>
    public static XElement Note(string text) => new("p", Class("note"), text);

    /// <summary>A table with one line of headings. The first column of each row names it; the others are numbers.</summary>
    public static XElement Table(IEnumerable<string> headings, IEnumerable<IEnumerable<object>> rows) =>
        Scrolling(new XElement("table",
            new XElement("thead", new XElement("tr", headings.Select((heading, i) =>
                new XElement("th", new XAttribute("scope", "col"), i > 0 ? Class("number") : null, heading)))),
            new XElement("tbody", rows.Select(row => new XElement("tr", row.Select((cell, i) => i == 0
                ? new XElement("th", new XAttribute("scope", "row"), cell)
                : new XElement("td", Class("number"), cell)))))));

    /// <summary>A table that scrolls sideways where it is wider than the screen, also by keyboard.</summary>
    public static XElement Scrolling(XElement table) => new("div", Class("wide"), new XAttribute("tabindex", "0"),
        new XAttribute("role", "region"), new XAttribute("aria-label", "Table"), table);

    /// <summary>The numbers behind a chart, folded.</summary>
    public static XElement Details(string summary, XElement table) =>
        new("details", new XElement("summary", summary), table);

    /// <summary>A chart.</summary>
    /// <param name="width">Width of the view box.</param>
    /// <param name="height">Height of the view box.</param>
    /// <param name="label">What the chart shows, for those who do not see it.</param>
    /// <param name="content">Shapes and texts.</param>
    public static XElement Svg(double width, double height, string label, params object?[] content) => new("svg", Class("chart"),
        new XAttribute("viewBox", $"0 0 {Coordinate(width)} {Coordinate(height)}"), new XAttribute("role", "img"),
        new XAttribute("aria-label", label), content);

    /// <summary>A straight line.</summary>
    public static XElement Line(string names, double x1, double y1, double x2, double y2) =>
        new("line", Class(names), At("x1", x1), At("y1", y1), At("x2", x2), At("y2", y2));

    /// <summary>A text in a chart.</summary>
    /// <param name="x">Where it starts, ends or has its middle.</param>
    /// <param name="y">Its base line.</param>
    /// <param name="anchor">"start", "middle" or "end".</param>
    /// <param name="text">The text.</param>
    public static XElement Text(double x, double y, string anchor, string text) =>
        new("text", At("x", x), At("y", y), new XAttribute("text-anchor", anchor), text);

    /// <summary>Writes a page, as UTF-8 that is HTML and XML at once.</summary>
    public static void Write(Stream stream, XElement page)
    {
        foreach (var element in page.DescendantsAndSelf())
        {
            foreach (var attribute in element.Attributes()) attribute.Value = Printable(attribute.Value);
            foreach (var text in element.Nodes().OfType<XText>()) text.Value = Printable(text.Value);
            // HTML knows no short form of elements that may have content.
            if (element.IsEmpty && !Void.Contains(element.Name.LocalName) && !Shapes.Contains(element.Name.LocalName)) element.Value = "";
        }
        using var writer = XmlWriter.Create(stream, new XmlWriterSettings
        {
            Encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), OmitXmlDeclaration = true, CloseOutput = false,
        });
        writer.WriteDocType("html", null, null, null);
        page.WriteTo(writer);
    }

    // Control characters and halves of characters are in no page; a name from data may have them.
    private static string Printable(string text)
    {
        if (text.All(c => XmlConvert.IsXmlChar(c))) return text;
        var printable = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            if (rune.Value > char.MaxValue || XmlConvert.IsXmlChar((char)rune.Value)) printable.Append(rune);
            else printable.Append(Rune.ReplacementChar);
        return printable.ToString();
    }
}
