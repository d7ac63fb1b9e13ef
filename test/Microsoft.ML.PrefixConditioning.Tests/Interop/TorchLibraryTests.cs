using System.Runtime.InteropServices;
using TorchSharp;
using static Microsoft.ML.PrefixConditioning.Tests.LoaderProcess;
using static Microsoft.ML.PrefixConditioning.Tests.TestProgram;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class TorchLibraryTests
{
    private static readonly NativeTorchLibraries Here = NativeTorchLibraries.ForThisProcess();

    private string _folder = "";

    private string Cache => Path.Combine(_folder, "cache");

    [TestInitialize]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory().FullName;

    [TestCleanup]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    public void EnsureLoaded_CalledByManyThreads_TensorsCanBeMade()
    {
        Parallel.For(0, 16, _ => TorchLibrary.EnsureLoaded());
        using var ones = torch.ones(2, 2);
        Assert.AreEqual(4f, ones.sum().item<float>());
    }

    [TestMethod]
    public void EnsureLoaded_TorchSharpWasUsedBefore_SaysWhatToCallFirst()
    {
        var said = Wait(Start(Step.TorchSharpFirst, Here.Directories, Cache));
        // Where TorchSharp loads its library without help, the order does not matter.
        if (!TorchLibrary.LacksNewestLibstdcxx())
        {
            Assert.AreEqual("loaded  4", said);
            return;
        }
        Assert.Contains("TorchSharp failed.", said);
        Assert.Contains("InvalidOperationException: TorchSharp was used before TorchLibrary.EnsureLoaded, could not load", said);
        Assert.Contains("Call TorchLibrary.EnsureLoaded() at the start of the program", said);
    }

    [TestMethod]
    public void EnsureLoaded_ProcessorWithoutNnpack_ConvolutionWritesNoWarning() =>
        Assert.AreEqual("loaded  4", Wait(Start(Step.Convolution, Here.Directories, Cache)));

    [TestMethod]
    [OSCondition(ConditionMode.Exclude, OperatingSystems.Windows)]
    public unsafe void EnsureLoaded_AnyProcessor_NnpackIsOff()
    {
        TorchLibrary.EnsureLoaded();
        var library = NativeLibrary.Load("LibTorchSharp", typeof(torch).Assembly, null);
        var context = ((delegate* unmanaged<nint>)NativeLibrary.GetExport(library, "_ZN2at13globalContextEv"))();
        // at::Context::userEnabledNNPACK() const
        var isEnabled = (delegate* unmanaged<nint, byte>)NativeLibrary.GetExport(library, "_ZNK2at7Context17userEnabledNNPACKEv");
        Assert.AreEqual(0, isEnabled(context));
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void LacksNewestLibstdcxx_ThisSystem_AgreesWithTheLoadedFile()
    {
        var mapped = File.ReadLines("/proc/self/maps").First(line => line.Contains("/libstdc++.so", StringComparison.Ordinal));
        var file = File.ReadAllBytes(mapped[mapped.IndexOf('/', StringComparison.Ordinal)..]);
        var hasVersion = file.AsSpan().IndexOf("GLIBCXX_3.4.32\0"u8) >= 0;
        Assert.AreEqual(!hasVersion, TorchLibrary.LacksNewestLibstdcxx());
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void LoadCopy_FreshThenWarmCache_WritesOnceAndLeavesTheOriginal()
    {
        var source = Here.Find(NativeTorchLibraries.TorchSharpFile)!;
        var (bytes, written) = (File.ReadAllBytes(source), File.GetLastWriteTimeUtc(source));

        var first = Wait(Start(Step.CopyOnly, Here.Directories, Cache));
        var copy = Directory.GetFiles(Cache).Single();
        Assert.AreEqual($"loaded {copy} 4", first);
        File.SetLastWriteTimeUtc(copy, new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc));

        Assert.AreEqual(first, Wait(Start(Step.CopyOnly, Here.Directories, Cache)));
        Assert.AreEqual(2001, File.GetLastWriteTimeUtc(copy).Year, "The warm cache was written again.");
        CollectionAssert.AreEqual(bytes, File.ReadAllBytes(source));
        Assert.AreEqual(written, File.GetLastWriteTimeUtc(source));
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void LoadCopy_TwoProcessesOnOneFreshCache_BothLoadTheOneFile()
    {
        var processes = Enumerable.Range(0, 2).Select(_ => Start(Step.CopyOnly, Here.Directories, Cache)).ToArray();
        var said = processes.Select(p => Wait(p)).ToArray();
        var expected = $"loaded {Directory.GetFiles(Cache).Single()} 4";
        CollectionAssert.AreEqual(new[] { expected, expected }, said);
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void LoadCopy_CorruptedCopy_IsReplaced()
    {
        var source = File.ReadAllBytes(Here.Find(NativeTorchLibraries.TorchSharpFile)!);
        var good = ElfVersionPatch.Apply(source, ElfVersionPatch.LibTorchSharp);
        var copy = PatchedLibraryCache.Store(Cache, NativeTorchLibraries.TorchSharpFile, good);
        File.WriteAllBytes(copy, new byte[good.Length]);

        Assert.AreEqual($"loaded {copy} 4", Wait(Start(Step.CopyOnly, Here.Directories, Cache)));
        CollectionAssert.AreEqual(good, File.ReadAllBytes(copy));
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void LoadCopy_CacheCannotBeWritten_LoadsFromATemporaryFolderAndRemovesIt()
    {
        var temporary = Directory.CreateDirectory(Path.Combine(_folder, "temporary")).FullName;
        var said = Wait(Start(Step.CopyOnly, Here.Directories, UnderAFile(), temporary));
        Assert.StartsWith($"loaded {temporary}/", said);
        Assert.EndsWith(" 4", said);
        Assert.IsEmpty(Directory.GetFileSystemEntries(temporary));
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void LoadCopy_NothingCanBeWritten_SaysWhereAndWhatToDo()
    {
        var cache = UnderAFile();
        var said = Wait(Start(Step.CopyOnly, Here.Directories, cache, temporary: cache));
        Assert.StartsWith("PlatformNotSupportedException: This system's libstdc++ lacks GLIBCXX_3.4.32, which TorchSharp ", said);
        Assert.Contains($"In the user's cache: in '{cache}': ", said);
        Assert.Contains($"In the temporary folder '{cache}", said);
        Assert.Contains("Let XDG_CACHE_HOME or TMPDIR name a folder", said);
        Assert.Contains("install a libstdc++ of GCC 13.2 or newer", said);
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void LoadPatched_RealLibraries_TensorsCanBeMade()
    {
        var said = Wait(Start(Step.Whole, Here.Directories, Cache));
        // Where the library loads as it is, no copy is made.
        var copy = TorchLibrary.LacksNewestLibstdcxx() ? Directory.GetFiles(Cache).Single() : "";
        Assert.AreEqual($"loaded {copy} 4", said);
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void LoadPatched_LibraryIsNoElf_SaysWhichFileAndWhy()
    {
        var library = WriteTorchSharp("not a library"u8.ToArray());
        var said = Wait(Start(Step.Whole, [_folder, .. Here.Directories], Cache));
        Assert.StartsWith("PlatformNotSupportedException: ", said);
        Assert.Contains($"'{library}' could not be patched for this system: The file (13 bytes) is not an ELF library", said);
        Assert.IsFalse(Directory.Exists(Cache));
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void LoadPatched_NoLibtorch_NamesThePackages()
    {
        WriteTorchSharp([]);
        var said = Wait(Start(Step.Whole, [_folder], Cache));
        Assert.StartsWith($"DllNotFoundException: TorchSharp has no native backend: 'libc10.so' was not found in '{_folder}'.", said);
        Assert.Contains("reference the package TorchSharp-cpu", said);
        Assert.Contains("libtorch-cpu-linux-x64", said);
        Assert.Contains("TorchSharp-cuda-linux", said);
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void LoadPatched_BrokenLibtorch_NamesTheFile()
    {
        WriteTorchSharp([]);
        var libtorch = Path.Combine(_folder, "libc10.so");
        File.WriteAllText(libtorch, "not a library");
        var said = Wait(Start(Step.Whole, [_folder], Cache));
        Assert.StartsWith($"DllNotFoundException: libtorch is there, but '{libtorch}' could not be loaded: ", said);
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void LoadPatched_NoTorchSharpLibrary_SaysWhereItLooked()
    {
        var said = Wait(Start(Step.Whole, [_folder], Cache));
        Assert.StartsWith($"DllNotFoundException: 'libLibTorchSharp.so' of the package TorchSharp was not found in '{_folder}'. Pub", said);
    }

    [TestMethod]
    public void LoadAsShipped_TorchSharpLoads_NothingIsThrown()
    {
        var calls = 0;
        TorchLibrary.LoadAsShipped(new([]), () => calls++);
        Assert.AreEqual(1, calls);
    }

    [TestMethod]
    public void LoadAsShipped_NoLibtorch_NamesThePackages()
    {
        var error = FailAsShipped(new NotSupportedException("trace"));
        var expected = $"TorchSharp has no native backend: '{NativeTorchLibraries.LibtorchFile}' was not found in '{_folder}'.";
        Assert.StartsWith(expected, error.Message);
        Assert.Contains("reference the package TorchSharp-cpu", error.Message);
        Assert.IsInstanceOfType<NotSupportedException>(error.InnerException);
    }

    [TestMethod]
    public void LoadAsShipped_LibtorchIsThere_SaysThatItCannotBeLoaded()
    {
        var libtorch = Path.Combine(_folder, NativeTorchLibraries.LibtorchFile);
        File.WriteAllText(libtorch, "");
        var error = FailAsShipped(new BadImageFormatException("wrong format"));
        Assert.StartsWith("TorchSharp's native library could not be loaded, although libtorch is there", error.Message);
        Assert.Contains($"('{libtorch}'): wrong format", error.Message);
        Assert.Contains("Check that its version fits TorchSharp ", error.Message);
    }

    [TestMethod]
    public void LoadAsShipped_UnrelatedFailure_PassesThrough() =>
        Assert.ThrowsExactly<InvalidOperationException>(
            () => TorchLibrary.LoadAsShipped(new([]), () => throw new InvalidOperationException()));

    [TestMethod]
    public void ForThisProcess_RunningTest_FindsBothLibraries()
    {
        Assert.IsNotNull(Here.Find(NativeTorchLibraries.TorchSharpFile));
        Assert.IsNotNull(Here.Find(NativeTorchLibraries.LibtorchFile));
        Assert.Contains(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory), Here.Directories);
    }

    private DllNotFoundException FailAsShipped(Exception cause) =>
        Assert.ThrowsExactly<DllNotFoundException>(() => TorchLibrary.LoadAsShipped(new([_folder]), () => throw cause));

    private string WriteTorchSharp(byte[] content)
    {
        var path = Path.Combine(_folder, NativeTorchLibraries.TorchSharpFile);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>A folder that not even root can create, because its parent is a file.</summary>
    private string UnderAFile()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        return Path.Combine(file, "cache");
    }
}
