using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The 256 visible characters that stand for bytes in byte-level BPE.</summary>
/// <remarks>
/// Source: GPT-2's and CLIP's vocabularies. Printable Latin 1 stands for itself; the other bytes follow from U+0100 on. The order of
/// the alphabet (first what stands for itself) is also the order of the ids 0 to 255.
/// </remarks>
internal static class ByteAlphabet
{
    /// <summary>Number of symbols.</summary>
    public const int Size = 256;

    private static readonly char[] SymbolOfByte = new char[Size];
    private static readonly short[] ByteOfSymbol = new short[2 * Size];   // -1 where a character is no symbol
    private static readonly short[] IdOfByte = new short[Size];

    /// <summary>The symbols in the order of their ids.</summary>
    public static string Symbols { get; } = Build();

    /// <summary>The symbol's id, 0 to 255, of a byte.</summary>
    public static int IdOf(byte value) => IdOfByte[value];

    /// <summary>The byte that a symbol stands for; null when the character is no symbol.</summary>
    public static byte? ByteOf(char symbol) =>
        symbol < ByteOfSymbol.Length && ByteOfSymbol[symbol] is >= 0 and var value ? (byte)value : null;

    private static string Build()
    {
        var own = Enumerable.Range(0, Size).Where(b => b is (>= '!' and <= '~') or (>= '¡' and <= '¬') or (>= '®' and <= 'ÿ')).ToArray();
        var other = Enumerable.Range(0, Size).Except(own).ToArray();
        foreach (var b in own) SymbolOfByte[b] = (char)b;
        for (var i = 0; i < other.Length; i++) SymbolOfByte[other[i]] = (char)(Size + i);
        Array.Fill(ByteOfSymbol, (short)-1);
        var symbols = new StringBuilder(Size);
        foreach (var b in own.Concat(other))
        {
            IdOfByte[b] = (short)symbols.Length;
            ByteOfSymbol[SymbolOfByte[b]] = (short)b;
            symbols.Append(SymbolOfByte[b]);
        }
        return symbols.ToString();
    }
}
