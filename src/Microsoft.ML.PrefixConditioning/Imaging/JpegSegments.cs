namespace Microsoft.ML.PrefixConditioning;

/// <summary>Goes through the segments of a JPEG file up to its first scan. Damage ends it early.</summary>
/// <remarks>Source: ITU T.81, annex B.</remarks>
internal ref struct JpegSegments(ReadOnlySpan<byte> file)
{
    /// <summary>The marker of the segment before a scan's data.</summary>
    public const byte StartOfScan = 0xDA;

    private readonly ReadOnlySpan<byte> _file = file;

    /// <summary>The marker's second byte.</summary>
    public byte Marker { get; private set; }

    /// <summary>What the segment has behind its length, as far as the file goes.</summary>
    public ReadOnlySpan<byte> Content { get; private set; }

    /// <summary>Position behind the segment, which may be behind the file.</summary>
    public int End { get; private set; } = 2;   // behind the mark that begins the file

    /// <summary>Goes to the next segment; false behind the first scan's.</summary>
    public bool MoveNext()
    {
        var at = End;
        if (Marker == StartOfScan || at >= _file.Length) return false;
        while (at + 4 < _file.Length && _file[at] == 0xFF && _file[at + 1] == 0xFF) at++;   // fill bytes
        if (at + 4 >= _file.Length || _file[at] != 0xFF) return false;
        var length = (_file[at + 2] << 8) | _file[at + 3];
        if (length < 2) return false;
        (Marker, End) = (_file[at + 1], at + 2 + length);
        Content = _file[(at + 4)..Math.Min(End, _file.Length)];
        return true;
    }
}
