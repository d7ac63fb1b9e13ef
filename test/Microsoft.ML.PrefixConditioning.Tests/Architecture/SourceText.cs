using System.Text.RegularExpressions;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What can be told from C# sources without a compiler: declared types and used names.</summary>
internal static class SourceText
{
    // Line comments, block comments, raw strings, verbatim strings, strings, characters; whichever begins first.
    private static readonly Regex CommentsAndStrings = new(
        """//[^\n]*|/\*.*?\*/|"{3}.*?"{3}|[$]?@[$]?"(?:[^"]|"")*"|"(?:\\.|[^"\\\n])*"|'(?:\\.[^'\n]*|[^'\\\n])'""",
        RegexOptions.Singleline);

    private static readonly Regex TypeDeclaration = new(
        @"^(?<modifiers>(?:[a-z]+ )*?)(?<kind>class|struct|interface|enum|record struct|record class|record|" +
        @"delegate [\w<>\[\]?., ]+?) (?<name>\w+)",
        RegexOptions.Multiline);

    private static readonly Regex Identifier = new(@"\b[A-Za-z_]\w*\b");

    /// <summary>The code without comments, documentation and the contents of strings.</summary>
    public static string WithoutCommentsAndStrings(string code) =>
        CommentsAndStrings.Replace(code, m => (m.Value.StartsWith('/') ? "" : "\"\"") + new string('\n', m.Value.Count(c => c == '\n')));

    /// <summary>Types declared at the left margin: those that are not nested in others.</summary>
    public static IEnumerable<Declaration> TopLevelTypes(string code) =>
        TypeDeclaration.Matches(WithoutCommentsAndStrings(code)).Select(m =>
            new Declaration(m.Groups["name"].Value, m.Groups["kind"].Value, m.Groups["modifiers"].Value.Split(' ').Contains("public")));

    /// <summary>Every identifier of the code, once.</summary>
    public static HashSet<string> Identifiers(string code) =>
        [.. Identifier.Matches(WithoutCommentsAndStrings(code)).Select(m => m.Value)];
}

/// <summary>A type's declaration.</summary>
internal sealed record Declaration(string Name, string Kind, bool IsPublic);
