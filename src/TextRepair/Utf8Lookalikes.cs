using System.Collections.Frozen;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Finds runs of characters that would be UTF-8 if read through some <see cref="SingleByteEncoding.LatinLike"/>.</summary>
/// <remarks>Source: ftfy 6.3.1's detector of inconsistent UTF-8; its character classes follow from the encodings.</remarks>
internal static class Utf8Lookalikes
{
    [Flags]
    private enum Role { None = 0, LeadsTwo = 1, LeadsThree = 2, LeadsFour = 4, Continues = 8, OnlyContinues = 16 }

    // Dashes, quotation marks, bullet and ellipsis also stand for themselves next to mojibake.
    private const string Punctuation = "–—―‘’‚“”„•…";

    private static readonly FrozenDictionary<char, Role> Roles = BuildRoles();

    /// <summary>Length of the run that begins exactly here; 0 when none does.</summary>
    /// <remarks>A run does not begin within a longer garble, where repairing a part would make things worse.</remarks>
    public static int LengthAt(string text, int begin)
    {
        var length = SequenceLength(text, begin);
        if (length == 0 || (begin > 0 && RoleOf(text[begin - 1]).HasFlag(Role.OnlyContinues))) return 0;
        var end = begin;
        for (; length > 0; length = SequenceLength(text, end)) end += length;
        return end - begin;
    }

    private static int SequenceLength(string text, int i)
    {
        if (i >= text.Length) return 0;
        var role = RoleOf(text[i]);
        var length = role.HasFlag(Role.LeadsTwo) ? 2 : role.HasFlag(Role.LeadsThree) ? 3 : role.HasFlag(Role.LeadsFour) ? 4 : 0;
        if (i + length > text.Length) return 0;
        for (var j = 1; j < length; j++)
            if (!RoleOf(text[i + j]).HasFlag(Role.Continues)) return 0;
        return length;
    }

    private static Role RoleOf(char c) => Roles.GetValueOrDefault(c);

    private static FrozenDictionary<char, Role> BuildRoles()
    {
        var roles = new Dictionary<char, Role> { [' '] = Role.Continues };   // a space may have been a no-break space
        foreach (var encoding in SingleByteEncoding.LatinLike)
        {
            for (var value = 0x80; value <= 0xFF; value++)
            {
                var c = encoding.Decode(value);
                roles[c] = roles.GetValueOrDefault(c) | value switch
                {
                    < 0xC0 => Role.Continues | (Punctuation.Contains(c) ? Role.None : Role.OnlyContinues),
                    >= 0xC2 and < 0xE0 => Role.LeadsTwo,
                    >= 0xE0 and < 0xF0 => Role.LeadsThree,
                    0xF0 or 0xF3 => Role.LeadsFour,   // the other leads of four only reach unassigned characters
                    _ => Role.None,
                };
            }
        }
        return roles.ToFrozenDictionary();
    }
}
