using System.Runtime.InteropServices;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>TorchSharp's native library. The package loads it when it first needs it.</summary>
/// <remarks>
/// <para>An application that uses TorchSharp directly, or through another package such as Microsoft.ML.TorchSharp, calls
/// <see cref="EnsureLoaded"/> first. Applications that use TorchSharp only through this package need no call.</para>
/// <para>TorchSharp 0.107's Linux library needs GLIBCXX_3.4.32 (GCC 13), which Debian 12, Ubuntu 22.04 and RHEL 9 lack. There, and only
/// there, a copy of the library is patched, kept in the user's cache folder and loaded before TorchSharp looks for it. The original file
/// is not changed.</para>
/// </remarks>
public static class TorchLibrary
{
    // libtorch.so brings the CUDA libraries where there are any; the other two are the ones that the copy names besides it.
    private static readonly string[] LibtorchOnLinux = ["libc10.so", "libtorch_cpu.so", "libtorch.so"];

    private static readonly Lock Gate = new();
    private static volatile bool _loaded;

    /// <summary>Loads TorchSharp's native library, unless it is loaded already.</summary>
    /// <remarks>
    /// Call it before TorchSharp is first used. It can be called from any thread and any number of times; after a failure it tries again.
    /// It also shortens the time that libtorch's threads spin (see docs/decisions/0008), and switches off libtorch's NNPACK, which writes
    /// a warning for every convolution on processors that it does not support.
    /// </remarks>
    /// <exception cref="DllNotFoundException">
    /// No native backend is referenced, or it cannot be loaded; the message names the packages.
    /// </exception>
    /// <exception cref="PlatformNotSupportedException">
    /// The system's libstdc++ is too old and the library could not be patched or loaded; the message says why and what to install.
    /// </exception>
    /// <exception cref="InvalidOperationException">
    /// The system's libstdc++ is too old, and TorchSharp was used before this call; it cannot be used in this process any more.
    /// </exception>
    public static void EnsureLoaded()
    {
        if (_loaded) return;
        lock (Gate)
        {
            if (_loaded) return;
            OpenMpWaiting.Limit();
            NativeHeap.Keep();
            var libraries = NativeTorchLibraries.ForThisProcess();
            if (LacksNewestLibstdcxx())
            {
                LoadPatched(libraries, PatchedLibraryCache.DefaultDirectory());
                AttachTorchSharp();
            }
            else LoadAsShipped(libraries, () => torch.InitializeDeviceType(DeviceType.CPU));
            Nnpack.Disable();
            _loaded = true;
        }
    }

    /// <summary>Loads the library in the background, for callers that will need it soon; whoever needs it gets the error.</summary>
    /// <remarks>The system loads one native library at a time, and libtorch takes half a second. What a caller needs meanwhile, it loads
    /// before.</remarks>
    /// <param name="then">What else is done in the background, once the library is loaded.</param>
    internal static void BeginLoading(Action then)
    {
        if (_loaded) return;
        ThreadPool.UnsafeQueueUserWorkItem(static then =>
        {
            try
            {
                EnsureLoaded();
                then();
            }
            catch (Exception)
            {
                // Both are tried again by whoever needs them.
            }
        }, then, preferLocal: false);
    }

    /// <summary>Whether this is Linux x64 with glibc and a libstdc++ without <see cref="ElfVersionPatch.NewestVersion"/>.</summary>
    /// <remarks>The linker itself is asked, for the libstdc++ that this process uses: no path or version has to be guessed.</remarks>
    internal static bool LacksNewestLibstdcxx()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64) return false;
        // Another C library, such as musl, has no such function; TorchSharp has no native library for it.
        var isGlibc = NativeLibrary.TryLoad("libc.so.6", out var libc) && NativeLibrary.TryGetExport(libc, "gnu_get_libc_version", out _);
        return isGlibc
            && NativeLibrary.TryLoad("libstdc++.so.6", out var libstdcxx)
            && !NativeLibrary.TryGetExport(libstdcxx, ElfVersionPatch.NewestSymbol, out _);
    }

    /// <summary>The usual case: TorchSharp loads its library. A failure gets a clearer message.</summary>
    /// <param name="libraries">Where to look for the cause of a failure.</param>
    /// <param name="load">TorchSharp's own loading.</param>
    /// <exception cref="DllNotFoundException">TorchSharp could not load its library.</exception>
    internal static void LoadAsShipped(NativeTorchLibraries libraries, Action load)
    {
        try
        {
            load();
        }
        catch (Exception e)
            when (e is NotSupportedException or DllNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            if (libraries.Find(NativeTorchLibraries.LibtorchFile) is { } found)
                throw new DllNotFoundException(
                    $"TorchSharp's native library could not be loaded, although libtorch is there ('{found}'): {e.Message} "
                    + $"Check that its version fits TorchSharp {TorchSharpVersion} and that the system has a C++ runtime. {Packages}", e);
            throw NoBackend(libraries, NativeTorchLibraries.LibtorchFile, e);
        }
    }

    /// <summary>Loads libtorch and then a patched copy of TorchSharp's library.</summary>
    /// <remarks>
    /// The dynamic linker does the rest: TorchSharp asks it for libLibTorchSharp.so, and it finds the copy, because a loaded library
    /// answers to the name recorded inside it (its soname). For the same reason the copy finds libtorch, wherever that lies, once libtorch
    /// has been loaded by its full path. The original is only read: it may be a hard link to the file in the NuGet cache.
    /// </remarks>
    /// <param name="libraries">Where the originals lie.</param>
    /// <param name="cacheDirectory">Folder for the copy; null, or one that cannot be used, makes it a temporary one.</param>
    /// <returns>The path of the copy; null when TorchSharp's library could be loaded as it is, or was loaded before.</returns>
    /// <exception cref="DllNotFoundException">TorchSharp's library or libtorch is missing.</exception>
    /// <exception cref="PlatformNotSupportedException">The library could not be patched, or no copy of it could be loaded.</exception>
    internal static string? LoadPatched(NativeTorchLibraries libraries, string? cacheDirectory)
    {
        // The application may have loaded a library of its own choice; then this is the one that TorchSharp will find.
        if (NativeLibrary.TryLoad(NativeTorchLibraries.TorchSharpFile, out _)) return null;
        var source = libraries.Find(NativeTorchLibraries.TorchSharpFile)
            ?? throw new DllNotFoundException(
                $"'{NativeTorchLibraries.TorchSharpFile}' of the package TorchSharp was not found in {Listed(libraries)}. "
                + "Publish the application for linux-x64 or without a runtime identifier, and keep the folder 'runtimes' beside it.");
        LoadLibtorch(libraries);
        // A TorchSharp of another version may not need the patch.
        return NativeLibrary.TryLoad(source, out _) ? null : LoadCopy(source, cacheDirectory);
    }

    /// <summary>Makes TorchSharp use the library that is loaded.</summary>
    /// <exception cref="InvalidOperationException">TorchSharp failed to load its library before, and does not try again.</exception>
    private static void AttachTorchSharp()
    {
        try
        {
            torch.InitializeDeviceType(DeviceType.CPU);
        }
        catch (TypeInitializationException e)
        {
            throw new InvalidOperationException(
                $"TorchSharp was used before {nameof(TorchLibrary)}.{nameof(EnsureLoaded)}, could not load its native library on this "
                + "system, and does not try again in this process. "
                + $"Call {nameof(TorchLibrary)}.{nameof(EnsureLoaded)}() at the start of the program, before anything that uses "
                + "TorchSharp, such as Microsoft.ML.TorchSharp.", e);
        }
    }

    /// <summary>Loads libtorch by its full path, so that a copy that lies elsewhere finds it.</summary>
    /// <param name="libraries">Where to look. The system's own folders are left out: a distribution's libtorch is of another
    /// version.</param>
    /// <exception cref="DllNotFoundException">libtorch is missing or cannot be loaded.</exception>
    internal static void LoadLibtorch(NativeTorchLibraries libraries)
    {
        foreach (var name in LibtorchOnLinux)
        {
            var path = libraries.Find(name);
            if (path is null && !NativeTorchLibraries.IsLoaded(name)) throw NoBackend(libraries, name);
            try
            {
                NativeLibrary.Load(path ?? name);   // by its name, the one that is loaded already
            }
            catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
            {
                throw new DllNotFoundException($"libtorch is there, but '{path}' could not be loaded: {e.Message} {Packages}", e);
            }
        }
    }

    /// <summary>Patches a copy of the library and loads it; libtorch must be loaded.</summary>
    /// <param name="source">The original, which is only read.</param>
    /// <param name="cacheDirectory">Folder for the copy; null, or one that cannot be used, makes it a temporary one.</param>
    /// <returns>The path of the copy; a temporary one is gone again.</returns>
    /// <exception cref="PlatformNotSupportedException">The library could not be patched, or no copy of it could be loaded.</exception>
    internal static string LoadCopy(string source, string? cacheDirectory)
    {
        var content = Patch(source);
        var failure = "there is no home folder.";
        if (cacheDirectory is not null)
        {
            try
            {
                return LoadFrom(cacheDirectory, content);
            }
            catch (Exception e) when (IsLoadFailure(e))
            {
                failure = $"in '{cacheDirectory}': {e.Message}";
            }
        }

        // A folder of our own with a random name, because others may write to the system's temporary folder as well.
        string? temporary = null;
        try
        {
            temporary = Directory.CreateTempSubdirectory("prefix-conditioning-").FullName;
            return LoadFrom(temporary, content);
        }
        catch (Exception e) when (IsLoadFailure(e))
        {
            throw TooOld(
                $"A copy of '{source}' was patched for this system, but could not be written and loaded. In the user's cache: {failure} "
                + $"In the temporary folder '{temporary ?? Path.GetTempPath()}': {e.Message} "
                + "Let XDG_CACHE_HOME or TMPDIR name a folder that can be written and that is not mounted noexec.", e);
        }
        finally
        {
            // What is loaded stays loaded when its file goes.
            if (temporary is not null) Directory.Delete(temporary, recursive: true);
        }
    }

    private static byte[] Patch(string source)
    {
        try
        {
            return ElfVersionPatch.Apply(File.ReadAllBytes(source), ElfVersionPatch.LibTorchSharp);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw TooOld($"'{source}' could not be patched for this system: {e.Message}", e);
        }
    }

    private static string LoadFrom(string directory, byte[] content)
    {
        var path = PatchedLibraryCache.Store(directory, NativeTorchLibraries.TorchSharpFile, content);
        NativeLibrary.Load(path);
        return path;
    }

    private static bool IsLoadFailure(Exception e) =>
        e is IOException or UnauthorizedAccessException or DllNotFoundException or BadImageFormatException;

    private static PlatformNotSupportedException TooOld(string what, Exception cause) => new(
        $"This system's libstdc++ lacks {ElfVersionPatch.NewestVersion}, which TorchSharp {TorchSharpVersion} needs. {what} "
        + "Otherwise install a libstdc++ of GCC 13.2 or newer (Debian 13, Ubuntu 24.04 and Fedora 39 have one), "
        + "or put one on LD_LIBRARY_PATH.",
        cause);

    private static DllNotFoundException NoBackend(NativeTorchLibraries libraries, string missing, Exception? cause = null) => new(
        $"TorchSharp has no native backend: '{missing}' was not found in {Listed(libraries)}. {Packages}", cause);

    private static string Packages =>
        $"The application chooses the backend: let it reference the package TorchSharp-cpu {TorchSharpVersion} (every system), "
        + "or only its own system's libtorch-cpu-linux-x64, libtorch-cpu-win-x64 or libtorch-cpu-osx-arm64, "
        + "or for NVIDIA GPUs TorchSharp-cuda-linux or TorchSharp-cuda-windows.";

    private static string TorchSharpVersion => typeof(torch).Assembly.GetName().Version?.ToString(3) ?? "";

    private static string Listed(NativeTorchLibraries libraries) => string.Join(", ", libraries.Directories.Select(d => $"'{d}'"));
}
