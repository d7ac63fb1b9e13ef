namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Code in docs/*.md compiles: it is the same as in test/PackageConsumer/DocumentExamples.cs.</summary>
[TestClass]
public sealed class DocumentCodeTests
{
    [TestMethod]
    public void Documents_EveryExample_IsCompiledAgainstThePackage()
    {
        var found = 0;
        foreach (var document in Directory.GetFiles(Repository.Path("docs"), "*.md",
            SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var name = Repository.Name(document);
            if (name == "docs/evaluation.md") continue;   // EvaluationDocumentTests compiles its code and runs it
            var blocks = CompiledExamples.InDocument(File.ReadAllText(document));
            var compiled = CompiledExamples.Compiled("DocumentExamples.cs", name);
            Assert.HasCount(blocks.Length, compiled,
                $"test/PackageConsumer/DocumentExamples.cs must hold as many marked examples as {name}.");
            for (var i = 0; i < blocks.Length; i++) Assert.AreEqual(blocks[i], compiled[i],
                $"{name}: example {i + 1} differs from the compiled one.");
            found += blocks.Length;
        }
        Assert.IsGreaterThan(0, found);
    }
}
