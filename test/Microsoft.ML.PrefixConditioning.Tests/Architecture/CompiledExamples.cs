using System.Globalization;
using System.Text.RegularExpressions;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Code in documents, and the same code between marks in test/PackageConsumer, which compiles it against the package.</summary>
internal static class CompiledExamples
{
    /// <summary>A document's code blocks in order, without what may differ.</summary>
    public static string[] InDocument(string text) =>
        [.. Regex.Matches(text, @"```csharp\n(.*?)```", RegexOptions.Singleline).Select(m => CodeLines(m.Groups[1].Value))];

    /// <summary>The marked examples of one document in order; parts with the same number belong together.</summary>
    /// <param name="file">A file of test/PackageConsumer.</param>
    /// <param name="mark">The document's name in the marks, such as "readme".</param>
    public static string[] Compiled(string file, string mark)
    {
        var code = File.ReadAllText(Repository.Path($"test/PackageConsumer/{file}"));
        return
        [
            .. Regex.Matches(code, $@"// <{Regex.Escape(mark)} (\d+)>\n(.*?)// </{Regex.Escape(mark)}>", RegexOptions.Singleline)
                .GroupBy(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture)).OrderBy(g => g.Key)
                .Select(g => CodeLines(string.Concat(g.Select(m => m.Groups[2].Value)))),
        ];
    }

    /// <summary>Lines without their indentation, empty ones and using directives, which stand at the top of a file.</summary>
    private static string CodeLines(string code) => string.Join('\n',
        code.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0 && !l.StartsWith("using Microsoft.", StringComparison.Ordinal)));
}
