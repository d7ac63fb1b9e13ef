using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Decodes token ids, to compare with the reference's decoder; the library itself only encodes.</summary>
internal static class TokenDecoding
{
    private static readonly Dictionary<char, byte> Bytes =
        Enumerable.Range(0, ByteAlphabet.Size).ToDictionary(value => ByteAlphabet.Symbols[ByteAlphabet.IdOf((byte)value)], value =>
            (byte)value);

    /// <summary>The byte that a symbol stands for.</summary>
    public static byte ByteOf(char symbol) => Bytes[symbol];

    /// <summary>The text of the ids; every end of a word gives a space, and bytes that are not UTF-8 give U+FFFD.</summary>
    public static string Decode(this ClipTokenizer tokenizer, IEnumerable<int> ids) =>
        Encoding.UTF8.GetString([.. ids.SelectMany(id => TextOf(tokenizer, id)).Select(ByteOf)]).Replace(BpeMerges.WordEnd, " ",
            StringComparison.Ordinal);

    private static string TextOf(ClipTokenizer tokenizer, int id) => id == tokenizer.StartToken ? ClipWords.StartText
        : id == tokenizer.EndToken ? ClipWords.EndText : tokenizer.Merges.Symbols[id];
}
