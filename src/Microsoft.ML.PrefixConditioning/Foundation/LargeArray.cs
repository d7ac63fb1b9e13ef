namespace Microsoft.ML.PrefixConditioning;

/// <summary>Arrays that may take a good part of the memory.</summary>
internal static class LargeArray
{
    private const int Large = 64 << 20;

    /// <summary>An array whose values are not defined. Before a large one, those that nobody needs any more are collected: the collector
    /// would let several of them lie.</summary>
    public static byte[] Allocate(int length)
    {
        if (length >= Large) GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: false);
        return GC.AllocateUninitializedArray<byte>(length);
    }
}
