namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Folders of the library, of which TextRepair is a project of its own, depend on each other in one direction:
/// docs/architecture.md.</summary>
[TestClass]
public sealed class LayerTests
{
    // What each folder may name types of; "" is the project root, which may name all.
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["TextRepair"] = [],
        ["Interop"] = [],
        ["Options"] = ["Interop"],
        ["Data"] = ["TextRepair", "Options"],
        ["Imaging"] = ["Options", "Data"],
        ["Text"] = ["TextRepair", "Options", "Data"],
        ["Kernels"] = ["Interop", "Options", "Data"],
        ["Model"] = ["Interop", "Options", "Data", "Imaging", "Text", "Kernels"],
        ["Weights"] = ["Interop", "Options", "Data", "Imaging", "Text", "Model"],
        ["Onnx"] = ["Interop", "Options", "Data", "Imaging", "Text", "Model", "Weights"],
        ["Training"] = ["TextRepair", "Interop", "Options", "Data", "Imaging", "Text", "Kernels", "Model", "Weights"],
        ["Scoring"] = ["TextRepair", "Interop", "Options", "Data", "Imaging", "Text", "Model", "Weights", "Onnx"],
        ["Evaluation"] = ["TextRepair", "Options", "Data", "Imaging", "Text", "Model", "Weights", "Scoring"],
        [""] =
        [
            "TextRepair", "Interop", "Options", "Data", "Imaging", "Text", "Kernels", "Model", "Weights", "Onnx", "Training", "Scoring",
            "Evaluation",
        ],
    };

    [TestMethod]
    public void Library_Folders_AreTheKnownOnes()
    {
        var unknown = Sources().Select(s => s.Folder).Distinct().Where(f => !Allowed.ContainsKey(f)).ToArray();

        Assert.IsEmpty(unknown, $"Folders without a place in the order of docs/architecture.md: {string.Join(", ", unknown)}.");
    }

    [TestMethod]
    public void Library_EveryFile_NamesOnlyTypesThatItsFolderMayUse()
    {
        var sources = Sources().ToArray();
        // A name that a public property has too (an option) cannot be told from the type of that name without a compiler.
        var properties = typeof(PrefixClipOptions).Assembly.GetExportedTypes().SelectMany(t => t.GetProperties()).Select(p =>
            p.Name).ToHashSet(StringComparer.Ordinal);
        var declared = sources.SelectMany(s => SourceText.TopLevelTypes(s.Code).Select(t => (s.Folder, t.Name)))
            .Where(t => t.Folder == "Options" || !properties.Contains(t.Name)).Distinct().ToLookup(t => t.Name, t => t.Folder);

        var violations = sources.SelectMany(s => Violations(s, declared)).ToArray();

        Assert.IsGreaterThan(60, declared.Count, "The test does not find the library's types any more.");
        Assert.IsEmpty(violations, string.Join(Environment.NewLine, violations));
    }

    [TestMethod]
    [DataRow("TextRepair")]
    [DataRow("Options")]
    [DataRow("Data")]
    [DataRow("Imaging")]
    [DataRow("Text")]
    public void Library_FoldersBeforeModel_UseNoTorch(string folder)
    {
        var files = Sources().Where(s => s.Folder == folder).ToArray();

        Assert.IsNotEmpty(files);
        Assert.IsEmpty(files.Where(s => SourceText.Identifiers(s.Code).Contains("TorchSharp")).Select(s => s.File));
    }

    [TestMethod]
    public void Library_EveryType_HasAUniqueName()
    {
        var twice = Sources().SelectMany(s => SourceText.TopLevelTypes(s.Code).Select(t => (t.Name, s.File)))
            .Distinct().GroupBy(t => t.Name).Where(g => g.Count() > 1).Select(g =>
                $"{g.Key}: {string.Join(", ", g.Select(t => t.File))}").ToArray();

        Assert.IsEmpty(twice, string.Join(Environment.NewLine, twice));
    }

    [TestMethod]
    [DataRow("Text", "internal static class Found { static void Use() => Pixels.Read(); }", DisplayName = "a sibling")]
    [DataRow("Data", "internal sealed class Found(Pixels pixels);", DisplayName = "a folder to the right")]
    public void Violations_TypeOfAForbiddenFolder_NamesBoth(string folder, string code)
    {
        var declared = new[] { (Folder: "Imaging", Name: "Pixels") }.ToLookup(t => t.Name, t => t.Folder);

        var violations = Violations(new Source(folder, $"{folder}/Found.cs", code), declared).ToArray();

        Assert.HasCount(1, violations);
        Assert.Contains($"{folder}/Found.cs names Pixels of Imaging", violations[0]);
    }

    [TestMethod]
    public void Violations_NameInDocumentationOrText_DoesNotCount()
    {
        var declared = new[] { (Folder: "Imaging", Name: "Pixels") }.ToLookup(t => t.Name, t => t.Folder);
        const string Code = "/// <summary>See <see cref=\"Pixels\"/>.</summary>\ninternal sealed class Found { string A => \"Pixels\"; " +
            "/* Pixels */ } // Pixels";

        Assert.IsEmpty(Violations(new Source("Text", "Text/Found.cs", Code), declared));
    }

    private static IEnumerable<string> Violations(Source source, ILookup<string, string> declared)
    {
        foreach (var name in SourceText.Identifiers(source.Code).Order(StringComparer.Ordinal))
            foreach (var folder in declared[name])
                if (folder != source.Folder && !Allowed[source.Folder].Contains(folder))
                    yield return $"{source.File} names {name} of {(folder.Length == 0 ? "the project root" : folder)}. Move one of them, " +
                        $"or pass what is needed as a value.";
    }

    private static IEnumerable<Source> Sources() =>
        new[] { Repository.Library, Repository.Path("src/TextRepair") }.SelectMany(Repository.CSharp).Select(file =>
    {
        var name = Repository.Name(file)["src/".Length..].Replace("Microsoft.ML.PrefixConditioning/", "", StringComparison.Ordinal);
        return new Source(name.Contains('/', StringComparison.Ordinal) ? name[..name.IndexOf('/', StringComparison.Ordinal)] : "", name,
            File.ReadAllText(file));
    });

    private sealed record Source(string Folder, string File, string Code);
}
