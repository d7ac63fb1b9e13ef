using System.Text;
using static Microsoft.ML.PrefixConditioning.ElfVersionPatch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>On copies of the real library in memory. That the result loads is shown by <see cref="TorchLibraryTests"/>.</summary>
[TestClass]
[OSCondition(OperatingSystems.Linux)]
public sealed class ElfVersionPatchTests
{
    private const int Class = 4, ByteOrder = 5, Type = 16, Machine = 18, SectionTable = 40;
    private static readonly NativeTorchLibraries Libraries = NativeTorchLibraries.ForThisProcess();
    private static readonly byte[] Library = File.ReadAllBytes(Libraries.Find(NativeTorchLibraries.TorchSharpFile)!);

    [TestMethod]
    public void Apply_ShippedLibrary_ChangesTwoFlagsTwoVersionsAndOneName()
    {
        var original = Library.ToArray();
        var patched = Apply(Library, LibTorchSharp);
        CollectionAssert.AreEqual(original, Library, "The input was changed.");
        Assert.HasCount(original.Length, patched);

        var name = original.AsSpan().IndexOf("\0_ZSt21ios_base_library_initv\0"u8) + 1;
        Assert.AreEqual("_ZNSt8ios_base4InitC1Ev\0\0\0\0\0\0", Encoding.ASCII.GetString(patched, name, 29));
        var others = Enumerable.Range(0, original.Length).Where(i => original[i] != patched[i] && (i < name || i >= name + 29)).ToArray();
        var flags = others.Where(i => (original[i], patched[i]) == (0, 2)).ToArray();
        var versions = others.Except(flags).ToArray();
        Assert.HasCount(2, flags);
        Assert.HasCount(2, versions);
        // .gnu.version lies between .dynstr and .gnu.version_r.
        Assert.IsTrue(versions.All(i => i > name && i < flags.Min()));
    }

    [TestMethod]
    public void Apply_FirstRedirectOnly_LeavesTheOtherVersion()
    {
        // The second redirect keeps its name: one flag and one version.
        Assert.AreEqual(CountChanges(Apply(Library, LibTorchSharp)) - 2, CountChanges(Apply(Library, [LibTorchSharp[0]])));
    }

    [TestMethod]
    public void Apply_PatchedLibrary_SaysThatTheSymbolIsGone() =>
        Expect("The library needs GLIBCXX_3.4.32, but not its symbol _ZSt21ios_base_library_initv.", Apply(Library, LibTorchSharp));

    [TestMethod]
    public void Apply_OtherSymbolOfTheVersion_NamesIt() =>
        Expect("uses _ZSt21ios_base_library_initv@GLIBCXX_3.4.32; of this version only other can", Library,
            LibTorchSharp[0] with { Symbol = "other" });

    [TestMethod]
    public void Apply_ReplacementVersionNotNeeded_NamesIt() =>
        Expect("needs GLIBCXX_3.4.32, but not GLIBCXX_1", Library, LibTorchSharp[0] with { NewVersion = "GLIBCXX_1" });

    [TestMethod]
    public void Apply_LibraryWithoutTheVersions_SaysThatThereIsNothingToReplace() =>
        Expect("needs none of _ZSt21ios_base_library_initv@GLIBCXX_3.4.32, ", File.ReadAllBytes(Libraries.Find("libc10.so")!));

    [TestMethod]
    public void Apply_NameSharedWithAnotherSymbol_IsRefused()
    {
        // Symbol 1 is made to point into the middle of the name, as a linker that merges common endings would do.
        var library = Library.ToArray();
        var (symbols, strings) = (SectionOffset(library, type: 11), SectionOffset(library, type: 3));
        var name = library.AsSpan().IndexOf("\0_ZSt21ios_base_library_initv\0"u8) + 1;
        BitConverter.TryWriteBytes(library.AsSpan(symbols + 24), name - strings + 5);
        Expect("shares its bytes with the symbol '1ios_base_library_initv'", library);
    }

    [TestMethod]
    public void Apply_TextFile_IsNoElf() => Expect("The file (5 bytes) is not an ELF library", "hello"u8.ToArray());

    [TestMethod]
    public void Apply_EmptyFile_IsNoElf() => Expect("The file (0 bytes) is not an ELF library", []);

    [TestMethod]
    [DataRow(Class, 1, "class 1 and byte order 1", DisplayName = "32 bits")]
    [DataRow(ByteOrder, 2, "class 2 and byte order 2", DisplayName = "big-endian")]
    [DataRow(Machine, 183, "type 3 and machine 183", DisplayName = "ARM64")]
    [DataRow(Type, 2, "type 2 and machine 62", DisplayName = "program")]
    public void Apply_OtherKindOfElf_SaysWhich(int offset, int value, string expected)
    {
        var library = Library.ToArray();
        library[offset] = (byte)value;
        Expect(expected, library);
    }

    [TestMethod]
    public void Apply_NoSectionTable_NamesTheMissingSection()
    {
        var library = Library.ToArray();
        library[60] = library[61] = 0;   // number of sections
        Expect("has no .dynsym section", library);
    }

    [TestMethod]
    [DataRow(11, 0x7f000000, "The section .dynsym ends at byte ", DisplayName = "symbols end outside")]
    [DataRow(0x6fffffff, 2, ".gnu.version has 1 entries for 3", DisplayName = "too few versions")]
    public void Apply_SectionOfTheWrongSize_SaysWhich(int type, int size, string expected)
    {
        var library = Library.ToArray();
        BitConverter.TryWriteBytes(library.AsSpan(SectionEntry(library, type) + 32), size);
        Expect(expected, library);
    }

    [TestMethod]
    public void Apply_SectionTableOutsideTheFile_IsDamaged()
    {
        var library = Library.ToArray();
        library.AsSpan(SectionTable, 8).Fill(0x7f);
        Expect("points outside the file", library);
    }

    [TestMethod]
    public void Apply_TruncatedAnywhere_IsRefused()
    {
        for (var length = 0; length < Library.Length; length += 40_009)
            Assert.ThrowsExactly<InvalidDataException>(() => Apply(Library.AsSpan(0, length), LibTorchSharp));
    }

    [TestMethod]
    public void Apply_DamagedTables_NeverFailsInAnotherWay()
    {
        // Every field of the header and of the section table, overwritten in turn.
        var sections = (int)BitConverter.ToInt64(Library, SectionTable);
        foreach (var start in new[] { 0, sections })
            for (var offset = start; offset < Math.Min(start + 31 * 64, Library.Length - 4) && (start > 0 || offset < 64); offset += 4)
            {
                var library = Library.ToArray();
                library.AsSpan(offset, 4).Fill(0xee);
                try
                {
                    Assert.HasCount(Library.Length, Apply(library, LibTorchSharp));
                }
                catch (InvalidDataException)
                {
                    // Most fields matter.
                }
            }
    }

    private static int CountChanges(byte[] patched) => Enumerable.Range(0, Library.Length).Count(i => Library[i] != patched[i]);

    private static int SectionEntry(byte[] library, int type)
    {
        var entry = (int)BitConverter.ToInt64(library, SectionTable);
        while (BitConverter.ToInt32(library, entry + 4) != type) entry += 64;
        return entry;
    }

    private static int SectionOffset(byte[] library, int type) => (int)BitConverter.ToInt64(library, SectionEntry(library, type) + 24);

    private static void Expect(string message, byte[] library, params Redirect[] redirects)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Apply(library, redirects is [] ? LibTorchSharp : redirects));
        Assert.Contains(message, error.Message);
    }
}
