namespace Microsoft.ML.PrefixConditioning;

/// <summary>Whole numbers in as few bytes as they need: 7 bits in each, the low ones first.</summary>
internal static class Varint
{
    /// <summary>Bytes of the longest number.</summary>
    public const int Longest = 10;

    /// <summary>Writes a number at the begin of the span.</summary>
    /// <returns>Number of bytes.</returns>
    public static int Write(Span<byte> target, ulong value)
    {
        var length = 0;
        for (; value >= 0x80; value >>= 7) target[length++] = (byte)(value | 0x80);
        target[length++] = (byte)value;
        return length;
    }

    /// <summary>Reads the number at the begin of the span, and moves the span behind it.</summary>
    public static ulong Read(ref ReadOnlySpan<byte> source)
    {
        var (value, length) = (0UL, 0);
        byte next;
        do
        {
            next = source[length];
            value |= (ulong)(next & 0x7F) << (7 * length++);
        }
        while (next >= 0x80);
        source = source[length..];
        return value;
    }
}
