using System.Globalization;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Large pages for what training writes, where Linux has them.</summary>
[TestClass]
public sealed unsafe class NativeHeapTests
{
    private const long Bytes = 8 << 20;

    [TestMethod]
    public void Resize_LargeBuffer_IsInLargePages()
    {
        if (!Directory.Exists("/sys/kernel/mm/transparent_hugepage")) Assert.Inconclusive("Large pages need Linux.");
        using var buffer = new MatrixBuffer().Resize(Bytes / sizeof(float), 1);
        Assert.IsTrue(IsAdvised((nint)buffer.Data + (nint)(Bytes / 2)), "The memory of a buffer is in small pages.");
    }

    /// <summary>Whether large pages were asked for where an address lies: 'hg' among the flags of the mapping.</summary>
    private static bool IsAdvised(nint address)
    {
        var isThere = false;
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words[0].Split('-') is [var first, var end])
                isThere = Number(first) <= address && address < Number(end);
            else if (isThere && words[0] == "VmFlags:") return words.Contains("hg");
        }
        throw new InvalidOperationException($"No mapping has the address {address:x}.");
    }

    private static nint Number(string text) => (nint)ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
