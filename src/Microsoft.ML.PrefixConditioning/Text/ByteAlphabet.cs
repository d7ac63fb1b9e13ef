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

    private static readonly short[] IdOfByte = new short[Size];

    /// <summary>The symbols in the order of their ids.</summary>
    public static string Symbols { get; } = Build();

    /// <summary>The symbol's id, 0 to 255, of a byte.</summary>
    public static int IdOf(byte value) => IdOfByte[value];

    private static string Build()
    {
        var own = Enumerable.Range(0, Size).Where(b => b is (>= '!' and <= '~') or (>= '¡' and <= '¬') or (>= '®' and <= 'ÿ')).ToArray();
        var other = Enumerable.Range(0, Size).Except(own).ToArray();
        var symbols = new StringBuilder(Size);
        foreach (var b in own.Concat(other))
        {
            IdOfByte[b] = (short)symbols.Length;
            symbols.Append((char)(symbols.Length < own.Length ? b : Size + symbols.Length - own.Length));
        }
        return symbols.ToString();
    }
}
