using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Where TorchSharp's native library and libtorch may lie.</summary>
/// <param name="Directories">Folders in the order in which they are searched.</param>
internal sealed record NativeTorchLibraries(IReadOnlyList<string> Directories)
{
    /// <summary>TorchSharp's own library; it comes with the package TorchSharp.</summary>
    public static string TorchSharpFile => FileName("LibTorchSharp");

    /// <summary>One of libtorch's libraries, in every backend; it comes with the package that the application chooses.</summary>
    public static string LibtorchFile => FileName("torch_cpu");

    /// <summary>The folders in which the runtime looks for TorchSharp's library, in its order, and an application's usual ones.</summary>
    [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "An empty location is passed over.")]
    public static NativeTorchLibraries ForThisProcess()
    {
        // Set by the host from the application's dependency file; a framework-dependent application's runtimes/<rid>/native is in it.
        var fromHost = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        var assembly = typeof(torch).Assembly.Location;   // differs from the base directory in a plug-in
        string[] directories =
        [
            .. fromHost.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries),
            assembly.Length > 0 ? Path.GetDirectoryName(assembly)! : AppContext.BaseDirectory,
            AppContext.BaseDirectory,
            Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeFolder, "native"),
            .. (Environment.GetEnvironmentVariable("LD_LIBRARY_PATH") ?? "").Split(Path.PathSeparator,
                StringSplitOptions.RemoveEmptyEntries),
        ];
        return new([.. directories.Select(d => Path.TrimEndingDirectorySeparator(Path.GetFullPath(d))).Distinct(StringComparer.Ordinal)]);
    }

    /// <summary>The first file of that name; null when no folder has one.</summary>
    public string? Find(string fileName) => Directories.Select(d => Path.Combine(d, fileName)).FirstOrDefault(File.Exists);

    /// <summary>Whether this process has loaded a library of that name, from wherever.</summary>
    public static bool IsLoaded(string fileName) =>
        File.Exists("/proc/self/maps") && File.ReadLines("/proc/self/maps").Any(l => l.EndsWith($"/{fileName}", StringComparison.Ordinal));

    private static string RuntimeFolder
    {
        get
        {
            var system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
            return $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
        }
    }

    private static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll" : OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so";
}
