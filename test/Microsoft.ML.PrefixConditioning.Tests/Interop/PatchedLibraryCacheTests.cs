namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PatchedLibraryCacheTests
{
    private const string CacheVariable = "XDG_CACHE_HOME";
    private static readonly byte[] Content = [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i * 7))];

    private string _folder = "";

    private string Cache => Path.Combine(_folder, "a", "b");

    [TestInitialize]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory().FullName;

    [TestCleanup]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    public void Store_FreshFolder_WritesTheContentForTheOwnerOnly()
    {
        var path = PatchedLibraryCache.Store(Cache, "libX.so", Content);
        CollectionAssert.AreEqual(Content, File.ReadAllBytes(path));
        Assert.MatchesRegex("^libX-[0-9a-f]{16}\\.so$", Path.GetFileName(path));
        Assert.AreEqual(path, Directory.GetFileSystemEntries(Cache).Single());
        if (!OperatingSystem.IsWindows())
            Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Cache));
    }

    [TestMethod]
    public void Store_SameContentAgain_DoesNotWrite()
    {
        var path = PatchedLibraryCache.Store(Cache, "libX.so", Content);
        var longAgo = new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(path, longAgo);
        Assert.AreEqual(path, PatchedLibraryCache.Store(Cache, "libX.so", Content));
        Assert.AreEqual(longAgo, File.GetLastWriteTimeUtc(path));
    }

    [TestMethod]
    public void Store_OtherContent_KeepsBoth()
    {
        var first = PatchedLibraryCache.Store(Cache, "libX.so", Content);
        var second = PatchedLibraryCache.Store(Cache, "libX.so", Content.AsSpan(1));
        Assert.AreNotEqual(first, second);
        CollectionAssert.AreEqual(Content, File.ReadAllBytes(first));
    }

    [TestMethod]
    [DataRow(0, DisplayName = "emptied")]
    [DataRow(50_000, DisplayName = "truncated")]
    [DataRow(100_000, DisplayName = "one byte changed")]
    public void Store_DamagedCopy_IsReplaced(int length)
    {
        var path = PatchedLibraryCache.Store(Cache, "libX.so", Content);
        var damaged = Content[..length];
        if (length == Content.Length) damaged[^1] ^= 1;
        File.WriteAllBytes(path, damaged);
        PatchedLibraryCache.Store(Cache, "libX.so", Content);
        CollectionAssert.AreEqual(Content, File.ReadAllBytes(path));
    }

    [TestMethod]
    public void Store_ManyThreadsOnAFreshFolder_OneWholeFileRemains()
    {
        var paths = new string[32];
        Parallel.For(0, paths.Length, new ParallelOptions { MaxDegreeOfParallelism = 16 }, i =>
        {
            paths[i] = PatchedLibraryCache.Store(Cache, "libX.so", Content);
            CollectionAssert.AreEqual(Content, File.ReadAllBytes(paths[i]));
        });
        Assert.AreEqual(paths.Distinct().Single(), Directory.GetFileSystemEntries(Cache).Single());
    }

    [TestMethod]
    public void Store_FolderBelowAFile_Throws()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        Assert.Throws<IOException>(() => PatchedLibraryCache.Store(Path.Combine(file, "cache"), "libX.so", Content));
    }

    [TestMethod]
    public void Store_CannotRename_LeavesNoTemporaryFile()
    {
        var path = PatchedLibraryCache.Store(Cache, "libX.so", Content);
        File.Delete(path);
        Directory.CreateDirectory(path);   // in the way of the file
        Assert.Throws<Exception>(() => PatchedLibraryCache.Store(Cache, "libX.so", Content));
        Assert.AreEqual(path, Directory.GetFileSystemEntries(Cache).Single());
    }

    [TestMethod]
    public void DefaultDirectory_CacheVariableSet_IsBelowIt()
    {
        var variable = Environment.GetEnvironmentVariable(CacheVariable);
        try
        {
            Environment.SetEnvironmentVariable(CacheVariable, _folder);
            Assert.StartsWith(_folder, PatchedLibraryCache.DefaultDirectory()!);
            Environment.SetEnvironmentVariable(CacheVariable, "relative");
            var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            Assert.StartsWith(Path.Combine(home, ".cache"), PatchedLibraryCache.DefaultDirectory()!);
        }
        finally
        {
            Environment.SetEnvironmentVariable(CacheVariable, variable);
        }
    }
}
