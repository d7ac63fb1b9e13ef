using System.Reflection;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The files of the repository that the tests were built from.</summary>
internal static class Repository
{
    private static readonly string[] NotSources = ["bin", "obj", ".git", ".vs", "TestResults", "BenchmarkDotNet.Artifacts",
        "quickstart-out", "finetune-out", "artifacts"];
    private static readonly string[] TextExtensions =
        [".cs", ".csproj", ".props", ".targets", ".sln", ".md", ".txt", ".json", ".config", ".editorconfig", ".gitignore", ""];

    /// <summary>The repository's folder, as the build wrote it into this assembly.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The library's folder.</summary>
    public static string Library { get; } = Path("src/Microsoft.ML.PrefixConditioning");

    /// <summary>A path inside the repository, from one with slashes.</summary>
    public static string Path(string relative) => System.IO.Path.GetFullPath(System.IO.Path.Combine(Root, relative));

    /// <summary>A path as people write it: relative to the root, with slashes.</summary>
    public static string Name(string path) => System.IO.Path.GetRelativePath(Root, path).Replace('\\', '/');

    /// <summary>All C# files below a folder of the repository, without what builds make.</summary>
    public static string[] CSharp(string folder) => [.. Files(Path(folder)).Where(f => f.EndsWith(".cs", StringComparison.Ordinal))];

    /// <summary>All text files that people write; golden data is not among them.</summary>
    public static string[] Texts() =>
    [
        .. Files(Root).Where(f => TextExtensions.Contains(System.IO.Path.GetExtension(f), StringComparer.Ordinal)
            && !Name(f).StartsWith("test/golden/", StringComparison.Ordinal)),
    ];

    private static IEnumerable<string> Files(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal)) yield return file;
        foreach (var inner in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal))
        {
            if (NotSources.Contains(System.IO.Path.GetFileName(inner), StringComparer.Ordinal)) continue;
            foreach (var file in Files(inner)) yield return file;
        }
    }

    private static string FindRoot()
    {
        var attributes = typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>();
        var root = attributes.FirstOrDefault(a => a.Key == "RepositoryRoot")?.Value
            ?? throw new AssertFailedException("The test assembly does not say where its repository is. Its project file must set the " +
                "assembly metadata RepositoryRoot.");
        return File.Exists(System.IO.Path.Combine(root, "PrefixConditioning.sln")) ? root
            : throw new AssertFailedException($"The tests were built in '{root}', where there is no PrefixConditioning.sln now. Build " +
                $"them where they run.");
    }
}
