using System.Collections.Frozen;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>An encoding of one byte a character through which UTF-8 is often misread.</summary>
/// <remarks>
/// Source: the Unicode consortium's mapping files. The platform's own tables are not used, because they fill unassigned bytes
/// differently. "Sloppy" as in ftfy and HTML 5: an unassigned byte stands for the control character of its number, and byte 1A
/// for U+FFFD, so that a text whose bytes were lost in part can still be encoded.
/// </remarks>
internal sealed class SingleByteEncoding
{
    private const char Substitute = '\x1A';

    private const string UpperCyrillic = "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ";
    private const string LowerCyrillic = "абвгдежзийклмнопрстуфхцчшщъыьэюя";

    private readonly string _upperHalf;
    private readonly FrozenDictionary<char, char> _bytes;

    private SingleByteEncoding(string upperHalf, bool isSloppy)
    {
        _upperHalf = upperHalf;
        IsSloppy = isSloppy;
        var bytes = new Dictionary<char, char>();
        for (var b = '\0'; b < '\x80'; b++) bytes[b] = b;
        if (isSloppy)
        {
            bytes.Remove(Substitute);
            bytes['\uFFFD'] = Substitute;
        }
        for (var i = 0; i < 0x80; i++) bytes[upperHalf[i]] = (char)(0x80 + i);
        _bytes = bytes.ToFrozenDictionary();
    }

    /// <summary>True when unassigned bytes stand for themselves and byte 1A for U+FFFD.</summary>
    public bool IsSloppy { get; }

    /// <summary>ISO 8859-1.</summary>
    public static SingleByteEncoding Latin1 { get; } = new(Run(0x80, 0x100), isSloppy: false);

    /// <summary>Mac OS Roman.</summary>
    public static SingleByteEncoding MacRoman { get; } = new(
        "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü"
        + "†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø"
        + "¿¡¬√ƒ≈∆«»…\u00A0ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ"
        + "‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\uF8FFÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ", isSloppy: false);

    private static SingleByteEncoding Windows1252 { get; } = new(
        "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008DŽ\u008F\u0090‘’“”•–—˜™š›œ\u009DžŸ" + Run(0xA0, 0x100), isSloppy: true);

    /// <summary>Latin 1 and the Windows code pages: those in which bytes 80 to BF and C2 to F4 hold what mojibake is made of.</summary>
    public static IReadOnlyList<SingleByteEncoding> LatinLike { get; } =
    [
        Latin1,
        Windows1252,
        new("ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u0098™љ›њќћџ" + "\u00A0ЎўЈ¤Ґ¦§Ё©Є«¬\u00AD®Ї°±Ііґµ¶·ё№є»јЅѕї"
            + UpperCyrillic + LowerCyrillic, isSloppy: true),                                               // windows-1251
        new("€\u0081‚\u0083„…†‡\u0088‰Š‹ŚŤŽŹ\u0090‘’“”•–—\u0098™š›śťžź" + "\u00A0ˇ˘Ł¤Ą¦§¨©Ş«¬\u00AD®Ż°±˛ł´µ¶·¸ąş»Ľ˝ľż"
            + "ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß" + "ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙", isSloppy: true),        // windows-1250
        new("€\u0081‚ƒ„…†‡\u0088‰\u008A‹\u008C\u008D\u008E\u008F\u0090‘’“”•–—\u0098™\u009A›\u009C\u009D\u009E\u009F"
            + "\u00A0΅Ά£¤¥¦§¨©ª«¬\u00AD®―°±²³΄µ¶·ΈΉΊ»Ό½ΎΏ"
            + "ΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡÒΣΤΥΦΧΨΩΪΫάέήί" + "ΰαβγδεζηθικλμνξοπρςστυφχψωϊϋόύώÿ", isSloppy: true),        // windows-1253
        new("€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008D\u008E\u008F\u0090‘’“”•–—˜™š›œ\u009D\u009EŸ" + Run(0xA0, 0xC0)
            + "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏĞÑÒÓÔÕÖ×ØÙÚÛÜİŞß" + "àáâãäåæçèéêëìíîïğñòóôõö÷øùúûüışÿ", isSloppy: true),        // windows-1254
        new("€\u0081‚\u0083„…†‡\u0088‰\u008A‹\u008C¨ˇ¸\u0090‘’“”•–—\u0098™\u009A›\u009C¯˛\u009F"
            + "\u00A0¡¢£¤¥¦§Ø©Ŗ«¬\u00AD®Æ°±²³´µ¶·ø¹ŗ»¼½¾æ"
            + "ĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕÖ×ŲŁŚŪÜŻŽß" + "ąįāćäåęēčéźėģķīļšńņóōõö÷ųłśūüżž˙", isSloppy: true),        // windows-1257
    ];

    /// <summary>All encodings, in the order in which they are tried.</summary>
    public static IReadOnlyList<SingleByteEncoding> All { get; } =
    [
        .. LatinLike,
        new(Run(0x80, 0xA0) + "\u00A0Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u00ADŽŻ°ą˛ł´ľśˇ¸šşťź˝žż"
            + "ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß" + "ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙", isSloppy: false),       // iso-8859-2
        MacRoman,
        new("ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ" + "áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐"
            + "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" + "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00A0", isSloppy: false),  // cp437
    ];

    /// <summary>What a control character U+0080..U+009F was meant to be; itself where Windows-1252 leaves its byte unassigned.</summary>
    public static char FromWindows1252(char control) => Windows1252.Decode(control);

    /// <summary>The character of a byte from 80 to FF.</summary>
    public char Decode(int value) => _upperHalf[value - 0x80];

    /// <summary>The bytes that give the text in this encoding, or null when it cannot have come from it.</summary>
    /// <returns>One character U+0000..U+00FF a byte.</returns>
    public string? TryEncode(string text)
    {
        var bytes = new char[text.Length];
        for (var i = 0; i < text.Length; i++)
            if (!_bytes.TryGetValue(text[i], out bytes[i])) return null;
        return new string(bytes);
    }

    private static string Run(int first, int end) => string.Create(end - first, first, static (span, first) =>
    {
        for (var i = 0; i < span.Length; i++) span[i] = (char)(first + i);
    });
}
