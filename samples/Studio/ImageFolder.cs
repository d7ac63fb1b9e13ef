namespace Studio;

/// <summary>The one folder whose images the page may load. Links are not followed, so nothing outside can be read.</summary>
internal sealed class ImageFolder
{
    private static readonly string[] Extensions = [".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"];

    private static readonly EnumerationOptions Recursive = new()
    {
        RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Hidden | FileAttributes.System,
    };

    private readonly string _path;

    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public ImageFolder(string path)
    {
        _path = Path.GetFullPath(path);
        if (!Directory.Exists(_path))
            throw new DirectoryNotFoundException($"There is no folder '{_path}'. Give --images the path of a folder with images.");
    }

    /// <summary>Paths of the image files in the folder and its subfolders, sorted, with their names relative to the folder.</summary>
    public IEnumerable<(string Path, string Name)> Files() => Directory.EnumerateFiles(_path, "*", Recursive)
        .Where(file => Extensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase))
        .Order(StringComparer.Ordinal)
        .Select(file => (file, Path.GetRelativePath(_path, file).Replace('\\', '/')));
}
