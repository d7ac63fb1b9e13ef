namespace Microsoft.ML.PrefixConditioning.Build;

/// <summary>The tool's command line: ReferencePublicizer (output folder) (assembly)...</summary>
internal static class PublicizerCommand
{
    /// <summary>Writes a copy of each assembly, under the same file name, in which internal and private members are public.</summary>
    /// <param name="args">The output folder, which is created when missing, and the assemblies.</param>
    /// <param name="errors">Takes one line when something is wrong, in the form that MSBuild shows as an error of the build.</param>
    /// <returns>The exit code: 0 when all copies are written.</returns>
    public static int Run(string[] args, TextWriter errors)
    {
        if (args.Length < 2)
        {
            errors.WriteLine("ReferencePublicizer : error PC0002: An output folder and at least one assembly are expected.");
            return 1;
        }
        foreach (var assembly in args[1..])
        {
            try
            {
                Write(Path.Combine(args[0], Path.GetFileName(assembly)), MetadataPublicizer.Apply(File.ReadAllBytes(assembly)));
            }
            catch (Exception e) when (e is BadImageFormatException or IOException or UnauthorizedAccessException)
            {
                errors.WriteLine($"ReferencePublicizer : error PC0001: '{assembly}' could not be copied with public members: {e.Message}");
                return 1;
            }
        }
        return 0;
    }

    /// <summary>The file gets its name when it is complete, so that another build never compiles against half of it.</summary>
    private static void Write(string path, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var temporary = $"{path}.{Environment.ProcessId}.tmp";
        File.WriteAllBytes(temporary, content);
        File.Move(temporary, path, overwrite: true);
    }
}
