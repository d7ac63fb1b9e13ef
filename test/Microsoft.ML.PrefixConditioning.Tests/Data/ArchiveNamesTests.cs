using System.Runtime.InteropServices;
using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Names that are not UTF-8, or occur twice: the right class or an error, never U+FFFD or a lost image without a word.</summary>
[TestClass]
public sealed class ArchiveNamesTests : IDisposable
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly List<string> _warnings;
    private readonly DataTestFolder _folder = new();

    public ArchiveNamesTests() => _warnings = _mlContext.Warnings();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void LoadImageFolder_ZipNamesInCodePage437_TwoClassesStayTwo()
    {
        var archive = RawZip.Write(_folder["collide.zip"],
            Entry(0x82, "red"), Entry(0x8A, "blue"), new RawZipEntry("dog/1.png"));   // é and è in code page 437
        var rows = _mlContext.Data.LoadImageFolder(archive);
        DataTestRows.Equal(["dog", "\u00E8", "\u00E9"], rows.Texts("Label"));
        DataTestRows.Equal(["x", "blue", "red"], rows.Texts("Image").Select(i => Encoding.UTF8.GetString(ImageLocator.ReadAllBytes(i))));
        DataTestRows.Equal([$"'{archive}': 3 image(s) in 3 class folder(s); 2 name(s) neither marked as UTF-8 nor valid in it, " +
            "read as code page 437, such as '\u00E9/1.png'."], _warnings);

        static RawZipEntry Entry(byte letter, string content) => new([letter, .. "/1.png"u8], Encoding.UTF8.GetBytes(content));
    }

    [TestMethod]
    [DataRow((ushort)0)]        // as macOS and older programs on Linux write it
    [DataRow((ushort)0x800)]
    public void LoadImageFolder_ZipNamesInUtf8_MarkedOrNot_AreReadAsUtf8(ushort flags)
    {
        var archive = RawZip.Write(_folder["x.zip"], new RawZipEntry("cr\u00E8me/1.png") { Flags = flags });
        DataTestRows.Equal(["cr\u00E8me"], _mlContext.Data.LoadImageFolder(archive).Texts("Label"));
        Assert.IsEmpty(_warnings);
    }

    [TestMethod]
    [DataRow(true, "caf\u00E9")]
    [DataRow(false, "caf_")]
    public void LoadImageFolder_ZipUnicodePathField_CountsIfItsChecksumFits(bool fits, string expected)
    {
        var name = "caf_/1.png"u8.ToArray();
        var checksum = fits ? 0x075456DAu : 1u;
        byte[] path = [1, .. BitConverter.GetBytes(checksum), .. "caf\u00E9/1.png"u8];
        byte[] extra = [0x55, 0x54, 1, 0, 0, 0x75, 0x70, (byte)path.Length, 0, .. path];
        var archive = RawZip.Write(_folder["x.zip"], new RawZipEntry(name, [1]) { Extra = extra });
        DataTestRows.Equal([expected], _mlContext.Data.LoadImageFolder(archive).Texts("Label"));
    }

    [TestMethod]
    public void LoadImageFolder_ZipNameMarkedAsUtf8ThatIsNot_Fails()
    {
        var archive = RawZip.Write(_folder["x.zip"], new RawZipEntry([.. "caf"u8, 0x82, .. "/1.png"u8], [1]) { Flags = 0x800 });
        StringAssert.StartsWith(DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageFolder(archive)).Message,
            @$"The name 'caf\ufffd/1.png' in '{archive}' is not UTF-8");
    }

    [TestMethod]
    public void LoadImageFolder_TarNameInLatin1_Fails()
    {
        var archive = _folder.Tar("x.tar", ("dog/1.png", ""), ("caf!/1.png", ""));
        var bytes = File.ReadAllBytes(archive);
        for (int at; (at = bytes.AsSpan().IndexOf("caf!"u8)) >= 0;) bytes[at + 3] = 0xE9;   // in both of its headers
        File.WriteAllBytes(archive, WithChecksums(bytes));
        Assert.AreEqual(@$"The name 'caf\ufffd/1.png' in '{archive}' is not UTF-8 (\ufffd stands for what cannot be decoded). " +
            "Rename it, or unpack or pack the archive that it comes from with the right encoding.",
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageFolder(archive)).Message);
    }

    [TestMethod]
    public void LoadImageFolder_FolderNameThatIsNotUtf8_NamesItInsteadOfLeavingItOut()
    {
        if (!OperatingSystem.IsLinux()) return;   // other systems refuse such names
        _folder.Write("dog/1.png");
        Assert.AreEqual(0, MakeFolder([.. Encoding.UTF8.GetBytes(_folder.Root), .. "/caf"u8, 0x82, 0], 0x1ED));
        try
        {
            StringAssert.StartsWith(DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageFolder(_folder.Root)).Message,
                @$"The name 'caf\ufffd' in '{_folder.Root}' is not UTF-8");
        }
        finally
        {
            Assert.AreEqual(0, RemoveFolder([.. Encoding.UTF8.GetBytes(_folder.Root), .. "/caf"u8, 0x82, 0]));
        }
    }

    [TestMethod]
    [DataRow("zip")]
    [DataRow("tar")]
    public void LoadImageFolder_TwoEntriesOfOneName_LastOneCountsWithAWarning(string kind)
    {
        (string, string)[] entries = [("a/1.png", "old"), ("a/2.png", "other"), ("./a/1.png", "new")];
        var archive = kind == "zip" ? _folder.Zip("x.zip", entries) : _folder.Tar("x.tar", entries);
        var rows = _mlContext.Data.LoadImageFolder(archive).Texts("Image");
        DataTestRows.Equal(["new", "other"], rows.Select(i => Encoding.UTF8.GetString(ImageLocator.ReadAllBytes(i))));
        DataTestRows.Equal([$"'{archive}': 2 image(s) in 1 class folder(s); 1 file(s) replaced by a later one of the same name, " +
            "such as 'a/1.png'."], _warnings);
    }

    [TestMethod]
    public void LoadImageFolder_ControlCharactersInNames_AreEscapedInMessages()
    {
        var archive = _folder.Zip("x.zip", ("a\u001B[31m\n/1.tif", ""), ("b/1.png", ""));
        Assert.Contains(
            @"'a\u001b[31m\u000a'. In 'a\u001b[31m\u000a': 1 file(s) of other types left out, such as 'a\u001b[31m\u000a/1.tif'.",
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadImageFolder(archive)).Message);
    }

    [TestMethod]
    public void ReadAllBytes_ZipEntriesOfManyKinds_AreReadOrExplained()
    {
        var archive = RawZip.Write(_folder["x.zip"], new("long.png", "data") { HasLongNumbers = true },
            new("locked.png") { Flags = 1 }, new("other.png") { Method = 9 });
        Assert.AreEqual("data", Encoding.UTF8.GetString(ImageLocator.ReadAllBytes(archive + "!/long.png")));
        Assert.AreEqual($"'locked.png' in the archive '{archive}' cannot be read: it is encrypted.", Invalid("locked.png"));
        Assert.AreEqual($"'other.png' in the archive '{archive}' cannot be read: it is compressed by method 9; " +
            "only deflated and stored files are read.", Invalid("other.png"));

        string Invalid(string entry) =>
            DataTestRows.Fails<InvalidDataException>(() => ImageLocator.ReadAllBytes($"{archive}!/{entry}")).Message;
    }

    [TestMethod]
    public void LoadImageFolder_TarCutOffOrAppendedTo_SaysThatFilesMayBeMissing()
    {
        var archive = _folder.Tar("x.tar", ("a/1.png", "one"), ("a/2.png", "two"), ("b/3.png", "three"));
        var whole = File.ReadAllBytes(archive);
        var two = whole.AsSpan().IndexOf("two"u8);
        File.WriteAllBytes(_folder["inside.tar"], whole[..two]);
        StringAssert.StartsWith(DataTestRows.Fails<InvalidDataException>(() =>
            _mlContext.Data.LoadImageFolder(_folder["inside.tar"])).Message,
            $"'{_folder["inside.tar"]}' is not an uncompressed TAR archive, or it is damaged: ");
        File.WriteAllBytes(_folder["cut.tar"], whole[..(two + 512)]);
        Assert.AreEqual(2, _mlContext.Data.LoadImageFolder(_folder["cut.tar"]).GetRowCount());
        File.WriteAllBytes(_folder["twice.tar"], [.. whole, .. whole]);
        Assert.AreEqual(3, _mlContext.Data.LoadImageFolder(_folder["twice.tar"]).GetRowCount());
        DataTestRows.Equal([
            $"'{_folder["cut.tar"]}': 2 image(s) in 1 class folder(s); 1 file(s) last in an archive without an end mark, " +
                "which may be cut off, such as 'a/2.png'.",
            $"'{_folder["twice.tar"]}': 3 image(s) in 2 class folder(s); 1 file(s) last before an end mark with more data behind it, " +
                "which is not read, such as 'b/3.png'."], _warnings);
    }

    [TestMethod]
    [DataRow("zip")]
    [DataRow("tar")]
    public void ReadAllBytes_AnyDamageToAnArchive_GivesAnEntryOrAnErrorThatNamesTheArchive(string kind)
    {
        (string, string)[] entries = [("a/1.png", new string('x', 300)), ("b/2.png", "two")];
        var whole = File.ReadAllBytes(kind == "zip" ? _folder.Zip("x.zip", entries) : _folder.Tar("x.tar", entries));
        var random = new Random(1);
        for (var i = 0; i < 400; i++)
        {
            byte[] damaged = i % 4 == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
            for (var n = 0; n < i % 4 * 2; n++) damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            var path = _folder.Write($"{i}.{kind}", damaged);
            try
            {
                ImageLocator.ReadAllBytes(path + "!/a/1.png");
            }
            catch (Exception e) when (e is InvalidDataException or FileNotFoundException)
            {
                Assert.Contains(path, e.Message);
            }
        }
    }

    /// <summary>A TAR whose header checksums fit again: the sum of all bytes of a header, its own eight taken as spaces.</summary>
    private static byte[] WithChecksums(byte[] tar)
    {
        for (var at = 0; at + 512 <= tar.Length; at += 512)
        {
            var header = tar.AsSpan(at, 512);
            if (!header[257..].StartsWith("ustar"u8)) continue;
            header.Slice(148, 8).Fill((byte)' ');
            var sum = 0;
            foreach (var b in header) sum += b;
            Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ", header.Slice(148, 8));
        }
        return tar;
    }

    [DllImport("libc", EntryPoint = "mkdir")]
    private static extern int MakeFolder(byte[] path, int mode);

    [DllImport("libc", EntryPoint = "rmdir")]
    private static extern int RemoveFolder(byte[] path);
}
