using System.Globalization;
using System.Net;
using System.Text;

namespace PaperStudy;

/// <summary>Builds HTML whose inserted values are always encoded.</summary>
internal sealed class Html
{
    private readonly StringBuilder _text = new();

    /// <summary>Adds a line of markup. Inserted text is encoded; inserted <see cref="Html"/> is encoded already.</summary>
    /// <param name="markup">Markup with inserted values; numbers are written in the invariant culture.</param>
    public Html Add(FormattableString markup)
    {
        var values = markup.GetArguments();
        var encoded = new object?[values.Length];
        for (var i = 0; i < values.Length; i++)
            encoded[i] = values[i] switch
            {
                string text => WebUtility.HtmlEncode(text),
                Html part => part.ToString(),
                var value => value,
            };
        _text.AppendFormat(CultureInfo.InvariantCulture, markup.Format, encoded).Append('\n');
        return this;
    }

    /// <summary>Adds a style sheet of our own, as it is.</summary>
    public Html AddStyle(string css)
    {
        _text.Append(css);
        return this;
    }

    public override string ToString() => _text.ToString();

    /// <summary>A share as a percentage with one decimal; the space before the sign does not break.</summary>
    public static string Percent(double share) => (100 * share).ToString("0.0", CultureInfo.InvariantCulture) + "\u00A0%";
}
