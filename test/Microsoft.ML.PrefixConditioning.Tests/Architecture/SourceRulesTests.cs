using System.Globalization;
using System.Text.RegularExpressions;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Rules that keep the sources easy to find one's way in.</summary>
[TestClass]
public sealed class SourceRulesTests
{
    // About 300 lines are the rule. Over it, look for the file's second subject; the rest is for the last lines of one.
    private const int LongestFile = 350;

    private static readonly string[] Code = ["src", "samples", "test", "build"];

    // Written so that this file does not break its own rules.
    private static readonly Regex UnfinishedMark = new(@"\b(TO" + "DO|FIX" + "ME|NotImplemented" + "Exception)\\b");
    private static readonly Regex PathOfAMachine = new(@"(?<![\w.])/(tm" + @"p|home|root|Users|mnt|work)/\w|\b[A-Z]:\\(Users|tm" + "p)");
    private static readonly Regex RegistryHost = new(@"\b(\w+\.)?(nuget\.or" + @"g|pypi\.or" + @"g|npmjs\.co" + @"m|pkgs\.dev\.azure\.co"
        + "m)\\b");

    [TestMethod]
    public void Names_OfFilesAndTypes_SayWhatTheyAre()
    {
        var vague = new Regex("(Utils?|Helpers?|Manager|Common|Misc)$");

        var names = Code.SelectMany(Repository.CSharp).SelectMany(file =>
            SourceText.TopLevelTypes(File.ReadAllText(file)).Select(t =>
                t.Name).Append(Path.GetFileNameWithoutExtension(file)).Select(name => (file, name)));
        var folders = Code.SelectMany(Repository.CSharp).SelectMany(file =>
            Path.GetDirectoryName(Repository.Name(file))!.Split('/', '\\').Select(name => (file, name)));

        AssertNone(names.Concat(folders).Where(n => vague.IsMatch(n.name)).Select(n =>
            $"{Repository.Name(n.file)}: '{n.name}' does not say what it is."));
    }

    [TestMethod]
    public void Files_OfCode_AreShort() =>
        AssertNone(Code.SelectMany(Repository.CSharp).Select(file => (file, lines: File.ReadLines(file).Count())).Where(f =>
            f.lines > LongestFile)
            .Select(f => $"{Repository.Name(f.file)} has {f.lines} lines; about 300 are the rule, {LongestFile} the limit. Look for its " +
                $"second subject."));

    [TestMethod]
    public void Lines_OfCode_FitTheEditorsRule()
    {
        var most = int.Parse(
            Regex.Match(File.ReadAllText(Repository.Path(".editorconfig")), @"max_line_length = (\d+)").Groups[1].Value,
            CultureInfo.InvariantCulture);
        AssertNone(
            from file in Code.SelectMany(Repository.CSharp)
            from line in File.ReadLines(file).Select((text, i) => (text.Length, Number: i + 1))
            where line.Length > most
            select $"{Repository.Name(file)}:{line.Number} has {line.Length} characters; at most {most} are allowed.");
    }

    [TestMethod]
    public void Files_OfTheLibrary_HoldOnePublicTypeNamedAfterThem()
    {
        var faults = new List<string>();
        foreach (var file in Repository.CSharp("src"))
        {
            var types = SourceText.TopLevelTypes(File.ReadAllText(file)).ToArray();
            if (types.Length == 0) continue;
            var name = Path.GetFileNameWithoutExtension(file);
            if (types.All(t => t.Name != name) || types.FirstOrDefault(t => t.IsPublic) is { } first && first.Name != name)
                faults.Add($"{Repository.Name(file)} declares {string.Join(", ", types.Select(t => t.Name))}; name the file after its " +
                    $"public or main type.");
            // An enum or a small record may stand below the type that it belongs to.
            faults.AddRange(types.Where(t =>
                t.IsPublic && t.Name != name && t.Kind != "enum" && !t.Kind.StartsWith("record", StringComparison.Ordinal))
                .Select(t => $"{Repository.Name(file)}: the public {t.Kind} {t.Name} needs a file of its own."));
        }
        AssertNone(faults);
    }

    [TestMethod]
    public void Code_HasNoRegionsAndNoPartialTypes() =>
        AssertNone(LinesOf(Code.SelectMany(Repository.CSharp), new Regex(@"^\s*#region|\bpartial (class|struct|record|interface)\b")));

    [TestMethod]
    public void Library_WritesToNoConsole() =>
        // Except the progress bar, which is for the console.
        AssertNone(LinesOf(Repository.CSharp("src").Where(f => Path.GetFileName(f) != "TrainingBar.cs"),
            new Regex(@"\bConsole\.|\bTrace\.Write|\bDebug\.Write")));

    [TestMethod]
    public void Texts_HaveNoUnfinishedMarks() => AssertNone(LinesOf(Repository.Texts(), UnfinishedMark, withComments: true));

    [TestMethod]
    public void Texts_NameNoPathOfAMachine() => AssertNone(LinesOf(Repository.Texts(), PathOfAMachine, withComments: true));

    [TestMethod]
    public void Texts_NameNoRegistryHost() => AssertNone(LinesOf(Repository.Texts(), RegistryHost, withComments: true));

    [TestMethod]
    public void Texts_EndWithALineBreak_AndHaveUnixLineEnds() =>
        AssertNone(Repository.Texts().Where(f => Path.GetExtension(f) != ".sln").Select(f => (f, text: File.ReadAllText(f)))
            .Where(t => t.text.Length > 0 && (!t.text.EndsWith('\n') || t.text.Contains('\r', StringComparison.Ordinal)))
            .Select(t => $"{Repository.Name(t.f)} has a carriage return or no line break at its end."));

    [TestMethod]
    [DataRow("/tm" + "p/x", true)]
    [DataRow("see /hom" + "e/someone/x", true)]
    [DataRow(@"C:\User" + @"s\x", true)]
    [DataRow("src/tmp/x", false)]
    [DataRow("https://example.org/home/x", false)]
    public void PathOfAMachine_Finds(string text, bool expected) => Assert.AreEqual(expected, PathOfAMachine.IsMatch(text));

    [TestMethod]
    [DataRow("https://api.nuget.or" + "g/v3", true)]
    [DataRow("NuGet", false)]
    public void RegistryHost_Finds(string text, bool expected) => Assert.AreEqual(expected, RegistryHost.IsMatch(text));

    [TestMethod]
    public void Repository_Texts_HoldTheFilesThatMatter()
    {
        var names = Repository.Texts().Select(Repository.Name).ToArray();

        foreach (var expected in new[] { "README.md", "LICENSE", ".ci/run", "NuGet.config", "Directory.Build.props",
            "src/Microsoft.ML.PrefixConditioning/PrefixClipEstimator.cs" })
            Assert.Contains(expected, names);
        Assert.IsFalse(names.Any(n => n.Contains("/obj/", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> LinesOf(IEnumerable<string> files, Regex forbidden, bool withComments = false)
    {
        foreach (var file in files)
        {
            var text = File.ReadAllText(file);
            var lines = (withComments ? text : SourceText.WithoutCommentsAndStrings(text)).Split('\n');
            for (var i = 0; i < lines.Length; i++)
                if (forbidden.Match(lines[i]) is { Success: true } found) yield return $"{Repository.Name(file)}({i + 1}): " +
                    $"'{found.Value.Trim()}' may not stand here.";
        }
    }

    private static void AssertNone(IEnumerable<string> faults)
    {
        var all = faults.ToArray();
        Assert.IsEmpty(all, string.Join(Environment.NewLine, all.Prepend("")));
    }
}
