using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Image locators in little memory: folders and archives are kept once, byte ranges as two numbers.</summary>
/// <remarks>
/// The content of a locator begins with the number of its prefix, which ends with the last slash, and the form of what follows. A byte
/// range <c>NAME@OFFSET+LENGTH TAIL</c> is stored as offset, length and length of the name, then name and tail.
/// </remarks>
internal sealed class LocatorPool(TextPool pool)
{
    private const ulong Plain = 0, Range = 1, Whole = 2;   // Whole: the prefix is the locator; for those that UTF-8 cannot hold
    private const int FormBits = 2;

    private byte[] _content = new byte[1 << 10];
    private string _prefix = "";
    private int _prefixNumber = -1;

    /// <summary>Adds a locator.</summary>
    /// <returns>Its number; equal locators have the same.</returns>
    public int Add(string locator)
    {
        var rest = locator.AsSpan(locator.AsSpan().LastIndexOfAny('/', '\\') + 1);
        var prefix = locator.AsSpan(0, locator.Length - rest.Length);
        if (_prefixNumber < 0 || !prefix.SequenceEqual(_prefix)) (_prefix, _prefixNumber) = (prefix.ToString(), pool.Add(prefix));
        if (_content.Length < 4 * Varint.Longest + 3 * rest.Length) _content = new byte[4 * Varint.Longest + 6 * rest.Length];
        var isRange = TryParseRange(rest, out var name, out var offset, out var size, out var tail);
        var length = Write(0, Head(_prefixNumber, isRange ? Range : Plain));
        if (isRange)
        {
            length = Write(length, offset);
            length = Write(length, size);
            length = Write(length, (ulong)Encoding.UTF8.GetByteCount(name));
        }
        if (TryAppend(name, ref length) && TryAppend(tail, ref length)) return pool.Add(_content.AsSpan(0, length));
        return pool.Add(_content.AsSpan(0, Write(0, Head(pool.Add(locator), Whole))));
    }

    /// <summary>The locator of a number.</summary>
    public string Locator(int number)
    {
        var content = pool.Content(number);
        var head = Varint.Read(ref content);
        var prefix = pool.Text((int)(head >> FormBits));
        if ((head & Range) == 0) return $"{prefix}{Encoding.UTF8.GetString(content)}";   // nothing follows a whole locator
        var (offset, size, nameLength) = (Varint.Read(ref content), Varint.Read(ref content), (int)Varint.Read(ref content));
        return string.Create(CultureInfo.InvariantCulture,
            $"{prefix}{Encoding.UTF8.GetString(content[..nameLength])}@{offset}+{size}{Encoding.UTF8.GetString(content[nameLength..])}");
    }

    /// <summary>The number of what all locators of one folder or container have in common; <see cref="Prefix"/> gives it.</summary>
    public int PrefixOf(int number)
    {
        var content = pool.Content(number);
        return (int)(Varint.Read(ref content) >> FormBits);
    }

    /// <summary>The text of a prefix, up to its last slash.</summary>
    public string Prefix(int prefix) => pool.Text(prefix);

    private static ulong Head(int prefix, ulong form) => ((ulong)prefix << FormBits) | form;

    private int Write(int at, ulong value) => at + Varint.Write(_content.AsSpan(at), value);

    private bool TryAppend(ReadOnlySpan<char> text, ref int length)
    {
        var status = Utf8.FromUtf16(text, _content.AsSpan(length), out _, out var written, replaceInvalidSequences: false);
        length += written;
        return status == OperationStatus.Done;
    }

    /// <summary>Splits <c>NAME@OFFSET+LENGTH TAIL</c>; otherwise all is the name. Numbers that would be printed differently are
    /// text.</summary>
    private static bool TryParseRange(
        ReadOnlySpan<char> rest, out ReadOnlySpan<char> name, out ulong offset, out ulong size, out ReadOnlySpan<char> tail)
    {
        var at = rest.LastIndexOf('@');
        name = rest;
        tail = [];
        (offset, size) = (0, 0);
        if (at < 0) return false;
        var numbers = rest[(at + 1)..];
        var plus = numbers.IndexOf('+');
        if (plus < 0 || !TryParse(numbers[..plus], out offset)) return false;
        var end = numbers[(plus + 1)..].IndexOfAnyExceptInRange('0', '9');
        var digits = end < 0 ? numbers[(plus + 1)..] : numbers.Slice(plus + 1, end);
        if (!TryParse(digits, out size)) return false;
        name = rest[..at];
        tail = numbers[(plus + 1 + digits.Length)..];
        return true;
    }

    private static bool TryParse(ReadOnlySpan<char> digits, out ulong value) =>
        ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value) && (digits[0] != '0' || digits.Length == 1);
}
