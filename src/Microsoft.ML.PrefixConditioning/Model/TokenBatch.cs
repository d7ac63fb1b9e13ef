using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Token ids of several texts, padded with 0 to the longest of them.</summary>
/// <remarks>Cutting at the longest text is exact: attention is causal and a text is pooled at its end token.</remarks>
/// <param name="Ids">Row by row, Count * Length ids.</param>
/// <param name="Count">Texts.</param>
/// <param name="Length">Tokens of the longest text.</param>
internal sealed record TokenBatch(long[] Ids, int Count, int Length)
{
    /// <summary>Lays the texts' ids out as one matrix.</summary>
    /// <param name="texts">Token ids of each text.</param>
    public static TokenBatch Pad(IReadOnlyList<int[]> texts)
    {
        var length = texts.Max(t => t.Length);
        var ids = new long[texts.Count * length];
        for (var row = 0; row < texts.Count; row++)
            for (var i = 0; i < texts[row].Length; i++) ids[row * length + i] = texts[row][i];
        return new TokenBatch(ids, texts.Count, length);
    }

    /// <summary>[N], the place of each text's end token: the first of those with the text's largest id.</summary>
    public int[] Ends
    {
        get
        {
            var ends = new int[Count];
            for (var row = 0; row < Count; row++)
            {
                var ids = Ids.AsSpan(row * Length, Length);
                ends[row] = System.Numerics.Tensors.TensorPrimitives.IndexOfMax<long>(ids);
            }
            return ends;
        }
    }

    /// <summary>Some of the texts.</summary>
    public TokenBatch Part(int first, int count) =>
        count == Count ? this : new TokenBatch(Ids.AsSpan(first * Length, count * Length).ToArray(), count, Length);

    /// <summary>[N, L] int64 on a device.</summary>
    public Tensor ToTensor(Device device) => tensor(Ids, [Count, Length], device: device);
}
