using System.Buffers.Binary;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Makes a copy of an ELF library that also loads where libstdc++ is older than the one it was linked against.</summary>
/// <remarks>
/// TorchSharp 0.107's Linux library was linked against the libstdc++ of GCC 13.2. Two of its symbols ask for a version that older
/// systems lack, and both did the same job under another version before:
/// <list type="bullet">
/// <item><c>std::ios_base_library_init()</c>, GLIBCXX_3.4.32 (GCC 13.2): starts the standard streams. Before, every object file that
/// includes iostream did so with the constructor of <c>std::ios_base::Init</c>, which ignores its argument and counts its calls;
/// that stays exported for old programs. Debian 12 and Ubuntu 22.04 lack this one.</item>
/// <item><c>std::condition_variable::wait</c>, GLIBCXX_3.4.30 (GCC 12): the same function is GLIBCXX_3.4.11 before, and stays exported
/// as such. RHEL 9, with GCC 11, lacks this one too.</item>
/// </list>
/// For each, three places of the file change, all in tables that only the dynamic linker reads; nothing moves and no code changes:
/// the needed version is flagged weak (.gnu.version_r), so that its absence is no error; the symbol's name is replaced (.dynstr), by a
/// name that is not longer; the symbol's version becomes the older one (.gnu.version).
/// Layout: System V ABI, chapter 4 and 5; symbol versions: Linux Standard Base Core Specification, "Symbol Versioning".
/// </remarks>
internal static class ElfVersionPatch
{
    /// <summary>The symbol whose absence tells that the system's libstdc++ is too old for the library as shipped.</summary>
    internal const string NewestSymbol = "_ZSt21ios_base_library_initv";

    /// <summary>The version that <see cref="NewestSymbol"/> came with.</summary>
    internal const string NewestVersion = "GLIBCXX_3.4.32";

    /// <summary>What to replace in TorchSharp's library.</summary>
    internal static readonly IReadOnlyList<Redirect> LibTorchSharp =
    [
        new(NewestSymbol, NewestVersion, "_ZNSt8ios_base4InitC1Ev", "GLIBCXX_3.4"),
        new(ConditionWait, "GLIBCXX_3.4.30", ConditionWait, "GLIBCXX_3.4.11"),
    ];

    private const string ConditionWait = "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE";
    private const string StandardLibrary = "libstdc++.so.6";

    // Values of the ELF format that are needed here.
    private const int HeaderSize = 64, SectionSize = 64, SymbolSize = 24;
    private const uint DynamicSymbols = 11, VersionNeeds = 0x6ffffffe, SymbolVersions = 0x6fffffff;
    private const ushort SharedObject = 3, MachineX64 = 62, WeakVersion = 2;

    /// <summary>One symbol of one version, and what takes its place.</summary>
    internal sealed record Redirect(string Symbol, string Version, string NewSymbol, string NewVersion);

    /// <summary>The library with every redirect applied whose version it needs.</summary>
    /// <param name="library">The whole file; it is not changed.</param>
    /// <param name="redirects">What to replace. A version that the library does not need is passed over.</param>
    /// <returns>The patched file, of the same length.</returns>
    /// <exception cref="InvalidDataException">
    /// The file is no 64-bit x86 shared library, is damaged, needs none of the versions, or uses one in another way than is known here.
    /// </exception>
    public static byte[] Apply(ReadOnlySpan<byte> library, IReadOnlyList<Redirect> redirects)
    {
        CheckHeader(library);
        var copy = library.ToArray();
        try
        {
            var image = new Image(copy);
            var applied = redirects.Count(redirect => image.TryApply(redirect));
            if (applied > 0) return copy;
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException("A table of the ELF file points outside the file: it is truncated or damaged.", e);
        }
        var known = string.Join(", ", redirects.Select(r => $"{r.Symbol}@{r.Version}"));
        throw new InvalidDataException($"The library needs none of {known}, so there is nothing to replace.");
    }

    private static void CheckHeader(ReadOnlySpan<byte> file)
    {
        if (file.Length < HeaderSize || !file[..4].SequenceEqual("\u007fELF"u8))
            throw new InvalidDataException($"The file ({file.Length} bytes) is not an ELF library: it does not begin with an ELF header.");
        if (file[4] != 2 || file[5] != 1)
            throw new InvalidDataException(
                $"The ELF file has class {file[4]} and byte order {file[5]}; 2 (64-bit) and 1 (little-endian) are expected.");
        var (type, machine) = (BinaryPrimitives.ReadUInt16LittleEndian(file[16..]), BinaryPrimitives.ReadUInt16LittleEndian(file[18..]));
        if (type != SharedObject || machine != MachineX64)
            throw new InvalidDataException(
                $"The ELF file has type {type} and machine {machine}; "
                + $"{SharedObject} (shared library) and {MachineX64} (x86-64) are expected.");
    }

    /// <summary>A place in the file.</summary>
    private readonly record struct Section(uint Type, int Offset, int Size, int Link, int Info)
    {
        public int End => Offset + Size;
    }

    private sealed class Image
    {
        private readonly byte[] _file;
        private readonly Section _symbols, _strings, _versions, _needs;

        public Image(byte[] file)
        {
            _file = file;
            var sections = ReadSections();
            _symbols = Find(sections, DynamicSymbols, ".dynsym");
            _versions = Find(sections, SymbolVersions, ".gnu.version");
            _needs = Find(sections, VersionNeeds, ".gnu.version_r");
            _strings = sections[_symbols.Link];
            if (_versions.Size / 2 < SymbolCount)
                throw new InvalidDataException(
                    $".gnu.version has {_versions.Size / 2} entries for {SymbolCount} symbols: the ELF file is damaged.");
        }

        private int SymbolCount => _symbols.Size / SymbolSize;

        /// <returns>False when the library does not need the version.</returns>
        public bool TryApply(Redirect redirect)
        {
            if (FindNeed(redirect.Version) is not { } need) return false;
            var replacement = FindNeed(redirect.NewVersion)
                ?? throw new InvalidDataException(
                    $"The library needs {redirect.Version}, but not {redirect.NewVersion}, which is to take its place.");
            var symbol = FindSymbol(redirect, U16(need + 6));

            if (redirect.NewSymbol != redirect.Symbol) Rename(symbol, redirect);
            Write16(need + 4, (ushort)(U16(need + 4) | WeakVersion));
            Write16(_versions.Offset + 2 * symbol, U16(replacement + 6));
            return true;
        }

        /// <summary>The place of the needed version's record (Elf64_Vernaux: hash, flags, index, name, next).</summary>
        private int? FindNeed(string version)
        {
            // Elf64_Verneed: version, count, file, first record, next. Both links are distances; the section's info counts the files.
            var file = _needs.Offset;
            for (var i = 0; i < _needs.Info; i++, file += checked((int)U32(file + 12)))
            {
                if (Text(U32(file + 4)) != StandardLibrary) continue;
                var record = file + checked((int)U32(file + 8));
                for (var j = 0; j < U16(file + 2); j++, record += checked((int)U32(record + 12)))
                    if (Text(U32(record + 8)) == version) return record;
            }
            return null;
        }

        /// <summary>The index of the one symbol that uses the version; it must be the known one and come from outside.</summary>
        private int FindSymbol(Redirect redirect, ushort version)
        {
            var found = -1;
            for (var i = 0; i < SymbolCount; i++)
            {
                if (U16(_versions.Offset + 2 * i) != version) continue;
                var name = Text(U32(SymbolAt(i)));
                var isUndefined = U16(SymbolAt(i) + 6) == 0;
                if (name != redirect.Symbol || !isUndefined)
                    throw new InvalidDataException(
                        $"The library uses {name}@{redirect.Version}; of this version only {redirect.Symbol} can be replaced.");
                found = i;
            }
            return found >= 0
                ? found
                : throw new InvalidDataException($"The library needs {redirect.Version}, but not its symbol {redirect.Symbol}.");
        }

        /// <summary>Overwrites the symbol's name; linkers let strings share their ends, so that must be ruled out first.</summary>
        private void Rename(int symbol, Redirect redirect)
        {
            var begin = U32(SymbolAt(symbol));
            var end = begin + (uint)redirect.Symbol.Length;
            for (var i = 0; i < SymbolCount; i++)
            {
                var other = U32(SymbolAt(i));
                if (i != symbol && other >= begin && other <= end)
                    throw new InvalidDataException(
                        $"The name {redirect.Symbol} shares its bytes with the symbol '{Text(other)}' and cannot be replaced alone.");
            }
            var bytes = _file.AsSpan(checked(_strings.Offset + (int)begin), redirect.Symbol.Length);
            bytes.Clear();
            Encoding.ASCII.GetBytes(redirect.NewSymbol, bytes);
        }

        private Section[] ReadSections()
        {
            var table = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(_file.AsSpan(40)));
            var sections = new Section[U16(60)];
            for (var i = 0; i < sections.Length; i++)
            {
                var entry = _file.AsSpan(checked(table + i * SectionSize), SectionSize);
                sections[i] = new(
                    Type: BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]),
                    Offset: checked((int)BinaryPrimitives.ReadUInt64LittleEndian(entry[24..])),
                    Size: checked((int)BinaryPrimitives.ReadUInt64LittleEndian(entry[32..])),
                    Link: checked((int)BinaryPrimitives.ReadUInt32LittleEndian(entry[40..])),
                    Info: checked((int)BinaryPrimitives.ReadUInt32LittleEndian(entry[44..])));
            }
            return sections;
        }

        private Section Find(Section[] sections, uint type, string name)
        {
            var section = sections.FirstOrDefault(s => s.Type == type);
            if (section.Type != type)
                throw new InvalidDataException($"The ELF file has no {name} section, so it is not a library with versioned symbols.");
            return checked(section.Offset + section.Size) <= _file.Length
                ? section
                : throw new InvalidDataException(
                    $"The section {name} ends at byte {section.End} of {_file.Length}: the ELF file is truncated or damaged.");
        }

        private int SymbolAt(int index) => _symbols.Offset + index * SymbolSize;

        private string Text(uint offset)
        {
            var bytes = _file.AsSpan(_strings.Offset, _strings.Size)[checked((int)offset)..];
            return Encoding.ASCII.GetString(bytes[..bytes.IndexOf((byte)0)]);
        }

        private ushort U16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_file.AsSpan(offset));

        private uint U32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_file.AsSpan(offset));

        private void Write16(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_file.AsSpan(offset), value);
    }
}
