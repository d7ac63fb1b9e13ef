using Microsoft.ML.PrefixConditioning.Build;

// ReferencePublicizer <output folder> <assembly>...
// Writes a copy of each assembly, under the same file name, in which internal and private members are public.
if (args.Length < 2)
{
    Console.Error.WriteLine("Usage: ReferencePublicizer <output folder> <assembly>...");
    return 1;
}
Directory.CreateDirectory(args[0]);
foreach (var assembly in args[1..])
{
    try
    {
        var copy = MetadataPublicizer.Apply(File.ReadAllBytes(assembly));
        // Renamed when complete, so that another build never compiles against half a file.
        var target = Path.Combine(args[0], Path.GetFileName(assembly));
        var temporary = $"{target}.{Environment.ProcessId}.tmp";
        File.WriteAllBytes(temporary, copy);
        File.Move(temporary, target, overwrite: true);
    }
    catch (Exception e) when (e is BadImageFormatException or InvalidOperationException or IOException or UnauthorizedAccessException)
    {
        // The form that MSBuild shows as an error of the build.
        Console.Error.WriteLine($"ReferencePublicizer : error PC0001: '{assembly}' could not be copied with public members: {e.Message}");
        return 1;
    }
}
return 0;
