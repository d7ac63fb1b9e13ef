using System.Globalization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads the tables in the folder Tables, which are resources of the assembly.</summary>
internal static class EmbeddedTable
{
    /// <summary>Entries of a table, which are separated by white space; lines that begin with '#' are comments.</summary>
    /// <param name="name">Name of the file without its extension.</param>
    public static IEnumerable<string> Entries(string name)
    {
        using var lines = new StreamReader(typeof(EmbeddedTable).Assembly.GetManifestResourceStream(name)!);
        while (lines.ReadLine() is { } line)
        {
            if (line.StartsWith('#')) continue;
            foreach (var entry in line.Split(' ')) yield return entry;
        }
    }

    /// <summary>The value of hexadecimal digits.</summary>
    public static int Hex(ReadOnlySpan<char> digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
