using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A fresh folder for one test, with short ways to fill it.</summary>
internal sealed class DataTestFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("prefix-data-").FullName;

    /// <summary>A path below the root, with forward slashes as the sources give it.</summary>
    public string this[string relative] => $"{Root}/{relative}";

    public string Write(string relative, string text = "not a picture") => Write(relative, Encoding.UTF8.GetBytes(text));

    public string Write(string relative, byte[] bytes)
    {
        var path = Path.Combine(Root, relative);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public string Zip(string relative, params (string Name, string Text)[] entries)
    {
        var path = Path.Combine(Root, relative);
        using var archive = new ZipArchive(File.Create(path), ZipArchiveMode.Create);
        foreach (var (name, text) in entries)
        {
            using var stream = archive.CreateEntry(name).Open();
            stream.Write(Encoding.UTF8.GetBytes(text));
        }
        return path;
    }

    public string Tar(string relative, params (string Name, string Text)[] entries)
    {
        var path = Path.Combine(Root, relative);
        using var writer = new TarWriter(File.Create(path), TarEntryFormat.Pax);
        foreach (var (name, text) in entries)
        {
            using var data = new MemoryStream(Encoding.UTF8.GetBytes(text));
            writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = data });
        }
        return path;
    }

    /// <summary>A symbolic link; its target as it is to be written into the link.</summary>
    public void Link(string relative, string target) => File.CreateSymbolicLink(Path.Combine(Root, relative), target);

    /// <summary>A TAR archive of entries of any type: the text is a file's content or a link's target.</summary>
    public string TarOf(string relative, params (string Name, TarEntryType Type, string Text)[] entries)
    {
        var path = Path.Combine(Root, relative);
        using var writer = new TarWriter(File.Create(path), TarEntryFormat.Pax);
        foreach (var (name, type, text) in entries)
        {
            var entry = new PaxTarEntry(type, name);
            if (type is TarEntryType.SymbolicLink or TarEntryType.HardLink) entry.LinkName = text;
            else if (type is TarEntryType.RegularFile) entry.DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text));
            writer.WriteEntry(entry);
        }
        return path;
    }

    public void Dispose()
    {
        ImageArchiveCache.Clear();   // an open archive could not be deleted everywhere
        Directory.Delete(Root, recursive: true);
    }
}

/// <summary>Short ways to read views in tests.</summary>
internal static class DataTestRows
{
    /// <summary>The texts of a column.</summary>
    public static string[] Texts(this IDataView view, string column) =>
        [.. view.GetColumn<ReadOnlyMemory<char>>(column).Select(t => t.ToString())];

    /// <summary>Warnings of a context's log from now on.</summary>
    public static List<string> Warnings(this MLContext context)
    {
        var warnings = new List<string>();
        context.Log += (_, e) =>
        {
            if (e.Kind >= ChannelMessageKind.Warning) warnings.Add(e.RawMessage);
        };
        return warnings;
    }

    /// <summary>Checks values and their order.</summary>
    public static void Equal<T>(ReadOnlySpan<T> expected, IEnumerable<T>? actual) =>
        CollectionAssert.AreEqual(expected.ToArray(), actual?.ToArray());

    /// <summary>Runs an action that must fail, and gives its exception.</summary>
    public static T Fails<T>(Action action) where T : Exception => Assert.ThrowsExactly<T>(action);
}
