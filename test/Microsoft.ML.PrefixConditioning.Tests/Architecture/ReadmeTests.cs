using System.Globalization;
using System.Text.RegularExpressions;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What the documents say is so: code, options, commands, links and names of files.</summary>
[TestClass]
public sealed class ReadmeTests
{
    private static readonly string Readme = File.ReadAllText(Repository.Path("README.md"));

    [TestMethod]
    public void Readme_EveryExample_IsCompiledAgainstThePackage()
    {
        var blocks = CompiledExamples.InDocument(Readme);
        var compiled = CompiledExamples.Compiled("ReadmeExamples.cs", "readme");

        Assert.IsGreaterThan(0, blocks.Length);
        Assert.HasCount(blocks.Length, compiled, "test/PackageConsumer/ReadmeExamples.cs must hold as many marked examples as README.");
        for (var i = 0; i < blocks.Length; i++) Assert.AreEqual(blocks[i], compiled[i],
            $"README's example {i + 1} differs from the compiled one.");
    }

    [TestMethod]
    public void Documents_Versions_AreThoseOfTheBuild()
    {
        var build = File.ReadAllText(Repository.Path("Directory.Packages.props"));
        string Version(string package) => Regex.Replace(
            Regex.Match(build, $@"PackageVersion Include=""{Regex.Escape(package)}"" Version=""([^""]+)""").Groups[1].Value,
            @"^\[(.+),(.+)\)$", "$1 to below $2");
        var torchSharp = Regex.Match(build, "<TorchSharpVersion>(.+)</TorchSharpVersion>").Groups[1].Value;
        var libtorch = Regex.Match(build, "<LibtorchVersion>(.+)</LibtorchVersion>").Groups[1].Value;
        var own = Regex.Match(File.ReadAllText(Repository.Path("Directory.Build.props")), "<Version>(.+)</Version>").Groups[1].Value;
        var table = Section(File.ReadAllText(Repository.Path("docs/install.md")), "Versions");

        foreach (var package in new[] { "Microsoft.ML", "Microsoft.ML.Tokenizers", "Google.Protobuf", "SkiaSharp" })
            Assert.Contains($"| {Version(package)} |", table, package);
        Assert.Contains($"| TorchSharp | {torchSharp} | libtorch {libtorch};", table);
        Assert.Contains($"Include=\"Microsoft.ML.PrefixConditioning\" Version=\"{own}\"", Readme);
        Assert.Contains($"Version=\"{torchSharp}\"", Readme);
    }

    [TestMethod]
    public void Readme_TwoCommands_AreRealOnes()
    {
        var commands = Section(Readme, "Two commands");

        Assert.Contains("dotnet run -c Release --project samples/Quickstart\n", commands);
        Assert.IsTrue(File.Exists(Repository.Path("samples/Quickstart/Quickstart.csproj")));
        Assert.Contains("dotnet test -c Release\n", commands);
        Assert.Contains("dotnet test -c Release", File.ReadAllText(Repository.Path(".ci/run")), ".ci/run must use README's command.");
    }

    [TestMethod]
    public void Documents_EveryRelativeLink_LeadsToAFile()
    {
        var broken = from document in Documents()
                     from Match link in Regex.Matches(File.ReadAllText(document), @"\]\(([^)#]+)(#[^)]*)?\)")
                     let target = link.Groups[1].Value
                     where !target.Contains("://", StringComparison.Ordinal)
                     let path = Path.Combine(Path.GetDirectoryName(document)!, target)
                     where !File.Exists(path) && !Directory.Exists(path)
                     select $"{Repository.Name(document)} links to '{target}', which does not exist.";

        Assert.IsEmpty(broken.ToArray(), string.Join(Environment.NewLine, broken));
    }

    [TestMethod]
    public void Documents_EveryFileThatTheyName_Exists()
    {
        var sources = Repository.CSharp("src").Concat(Repository.CSharp("test")).Concat(Repository.Texts())
            .Select(Repository.Name).ToHashSet(StringComparer.Ordinal);
        var missing = from document in Documents()
                      from Match quoted in Regex.Matches(File.ReadAllText(document), @"`([\w.][\w./-]*)`")
                      let name = quoted.Groups[1].Value.TrimEnd('/')
                      where Regex.IsMatch(name, @"^(src|test|samples|build|docs|\.ci)/|\.(cs|props|targets|csproj|sln)$")
                      where !Directory.Exists(Repository.Path(name))
                          && !sources.Any(s => s == name || s.EndsWith("/" + name, StringComparison.Ordinal))
                      select $"{Repository.Name(document)} names '{name}', which does not exist.";

        Assert.IsEmpty(missing.ToArray(), string.Join(Environment.NewLine, missing));
    }

    [TestMethod]
    public void Architecture_EveryStopOfThePaths_IsAFile()
    {
        var section = Section(File.ReadAllText(Repository.Path("docs/architecture.md")), "Two paths");
        var names = Repository.CSharp("src").Select(f => Path.GetFileNameWithoutExtension(f)).ToHashSet(StringComparer.Ordinal);
        var stops = Regex.Matches(section, @"`([A-Z]\w+)`").Select(m => m.Groups[1].Value).Distinct().ToArray();

        Assert.IsGreaterThan(60, stops.Length);
        CollectionAssert.AreEqual((string[])["Fit", "PredictedLabel", "PrefixClip", "Score"],
            stops.Where(stop => !names.Contains(stop)).Order(StringComparer.Ordinal).ToArray());
    }

    [TestMethod]
    public void Decisions_AreNumberedWithoutGapsAndHaveTheFourParts()
    {
        var records = Directory.GetFiles(Repository.Path("docs/decisions"), "*.md").Order(StringComparer.Ordinal).ToArray();

        for (var i = 0; i < records.Length; i++)
        {
            var name = Path.GetFileName(records[i]);
            Assert.StartsWith(string.Create(CultureInfo.InvariantCulture, $"{i + 1:0000}-"), name);
            var text = File.ReadAllText(records[i]);
            Assert.StartsWith($"# {name[..4]} ", text);
            foreach (var part in new[] { "Context", "Options", "Choice", "Consequences" }) Assert.Contains($"\n## {part}\n", text, name);
        }
    }

    private static string Section(string document, string title)
    {
        var match = Regex.Match(
            document, $@"^## {Regex.Escape(title)}\n(.*?)(?=^## |\z)", RegexOptions.Multiline | RegexOptions.Singleline);
        Assert.IsTrue(match.Success, $"The document has no section '{title}'.");
        return match.Groups[1].Value;
    }

    private static IEnumerable<string> Documents() =>
        [Repository.Path("README.md"), Repository.Path("CONTRIBUTING.md"), Repository.Path("CHANGELOG.md"),
            .. Directory.GetFiles(Repository.Path("docs"), "*.md", SearchOption.AllDirectories)];
}
