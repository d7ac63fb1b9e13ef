using System.Collections.Concurrent;
using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>An image that is a range of bytes of a file: <c>FILE!/NAME@OFFSET+LENGTH</c>, such as
/// <c>00012.tar!/000120034.jpg@1536+48213</c>.</summary>
/// <remarks>
/// <para>The range is an encoded image, or raw pixels if a layout follows: <c>:28x28:gray</c> is one plane of 28 x 28 bytes,
/// <c>:32x32:rgb-planes</c> are a red, a green and a blue plane. Reading needs no index: a locator says all that is needed. Of a
/// Parquet file, the two numbers are the row group and the row: <c>train.parquet!/image.bytes@3+17</c>.</para>
/// <para>The name is for people and messages. The file ends at the last <c>!/</c>, which a name therefore cannot contain.</para>
/// </remarks>
/// <param name="File">Path of the file.</param>
/// <param name="Name">Name of the image in the file.</param>
/// <param name="Offset">Position of the first byte.</param>
/// <param name="Length">Number of bytes.</param>
internal readonly record struct ImageSlice(string File, string Name, long Offset, int Length)
{
    /// <summary>By extension of the file: what reads its images, where these are no ranges of bytes. The two numbers then mean what the
    /// reader says. For packages that add a format.</summary>
    internal static ConcurrentDictionary<string, Func<ImageSlice, byte[]>> Readers { get; } = new(StringComparer.OrdinalIgnoreCase);

    // Asked once where the locators of a file follow each other.
    [ThreadStatic]
    private static (string? Name, bool IsFolder) _lastFile;

    private const string Mark = "!/", Gray = ":gray", Planes = ":rgb-planes";

    /// <summary>Width of raw pixels; 0 for an encoded image.</summary>
    public int Width { get; init; }

    /// <summary>Height of raw pixels; 0 for an encoded image.</summary>
    public int Height { get; init; }

    /// <summary>Planes of raw pixels, 1 or 3; 0 for an encoded image.</summary>
    public int Channels { get; init; }

    /// <summary>Parses a locator; any other kind of locator gives false.</summary>
    public static bool TryParse(string locator, out ImageSlice slice)
    {
        slice = default;
        var at = locator.LastIndexOf('@');
        var mark = at < 0 ? -1 : locator.LastIndexOf(Mark, at, StringComparison.Ordinal);
        if (mark <= 0) return false;
        var rest = locator.AsSpan(at + 1);
        if (!TakeNumber(ref rest, out var offset) || !Take(ref rest, "+") || !TakeNumber(ref rest, out var length)
            || length > int.MaxValue) return false;
        var found = new ImageSlice(locator[..mark], locator[(mark + Mark.Length)..at], offset, (int)length);
        if (rest.Length > 0)
        {
            if (!Take(ref rest, ":") || !TakeNumber(ref rest, out var width)
                || !Take(ref rest, "x") || !TakeNumber(ref rest, out var height)) return false;
            var channels = rest.SequenceEqual(Gray) ? 1 : rest.SequenceEqual(Planes) ? 3 : 0;
            if (channels == 0 || width > int.MaxValue || height > int.MaxValue) return false;
            found = found with { Width = (int)width, Height = (int)height, Channels = channels };
        }
        if (found.File != _lastFile.Name) _lastFile = (found.File, Directory.Exists(found.File + '!'));
        if (_lastFile.IsFolder) return false;   // a folder's name ends in the mark: a plain path
        slice = found;
        return true;
    }

    /// <summary>The locator without the file.</summary>
    public string Place
    {
        get
        {
            var name = Name.Contains('!', StringComparison.Ordinal) ? Name.Replace(Mark, "!-", StringComparison.Ordinal) : Name;
            var range = string.Create(CultureInfo.InvariantCulture, $"{name}@{Offset}+{Length}");
            return Channels == 0 ? range
                : string.Create(CultureInfo.InvariantCulture, $"{range}:{Width}x{Height}{(Channels == 1 ? Gray : Planes)}");
        }
    }

    /// <summary>The locator.</summary>
    public override string ToString() => $"{File}{Mark}{Place}";

    /// <summary>Reads the bytes. Thread-safe.</summary>
    /// <param name="memory">Takes the bytes before they are read; null if nobody counts them.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">The range is too long, the file is too short, or raw pixels have another number of
    /// bytes.</exception>
    public byte[] Read(MemoryShare? memory = null)
    {
        if (Readers.TryGetValue(Path.GetExtension(File), out var read)) return read(this);
        if (Channels > 0 && (Width == 0 || Height == 0 || (decimal)Width * Height * Channels != Length))
            throw new InvalidDataException($"{NearName.Quoted(ToString())} has {Length} bytes; {Width} x {Height} pixels in {Channels} " +
                "plane(s) have another number.");
        return ImageArchiveCache.Read(File, Offset, Length, Name, memory);
    }

    private static bool Take(ref ReadOnlySpan<char> text, string expected)
    {
        if (!text.StartsWith(expected, StringComparison.Ordinal)) return false;
        text = text[expected.Length..];
        return true;
    }

    private static bool TakeNumber(ref ReadOnlySpan<char> text, out long number)
    {
        var end = text.IndexOfAnyExceptInRange('0', '9');
        if (end < 0) end = text.Length;
        var isNumber = long.TryParse(text[..end], NumberStyles.None, CultureInfo.InvariantCulture, out number);
        text = text[end..];
        return isNumber;
    }
}
