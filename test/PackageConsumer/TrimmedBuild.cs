using System.Diagnostics;

namespace PackageConsumer;

/// <summary>What the package's build file tells the trimmer, asked of MSBuild for this project; nothing is built.</summary>
internal static class TrimmedBuild
{
    /// <summary>The assemblies that stay whole and the setting of JSON, as MSBuild prints them.</summary>
    public static async Task<string> Settings(string version)
    {
        var project = Path.Combine(AppContext.BaseDirectory, "..", "..", "..", $"{nameof(PackageConsumer)}.csproj");
        var host = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        using var build = Process.Start(new ProcessStartInfo(host, ["msbuild", project, "-target:KeepMachineLearningWhole",
            "-getItem:TrimmerRootAssembly", "-getProperty:JsonSerializerIsReflectionEnabledByDefault", "-property:PublishTrimmed=true",
            "-property:Configuration=Release", $"-property:Version={version}"]) { RedirectStandardOutput = true })!;
        var output = await build.StandardOutput.ReadToEndAsync();
        await build.WaitForExitAsync();
        return output;
    }
}
