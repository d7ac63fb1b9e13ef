using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>How a square map of positions is cut into windows, plain and shifted.</summary>
/// <remarks>
/// Source: "Swin Transformer" (arXiv 2103.14030), section 3.2 and figure 4, with the padding of torchvision 0.14: zeros at the right and
/// the lower edge take part in the attention like any other position. N images, S positions on a side, P the same with padding, w on a
/// side of a window, L = w² in a window, G = (P / w)² windows of an image, C channels.
/// </remarks>
/// <param name="side">S.</param>
/// <param name="window">w.</param>
internal sealed class SwinWindows(long side, long window)
{
    private const double Hidden = -100;   // torchvision's value: e^-100 is nothing beside the others

    private readonly long _across = (side + window - 1) / window;

    /// <summary>P.</summary>
    private long Padded => _across * window;

    /// <summary>By how many positions shifted windows lie to the right and below: half a window, or 0 where one window holds all.</summary>
    public long Shift => _across > 1 ? window / 2 : 0;

    /// <summary>G.</summary>
    public long Count => _across * _across;

    /// <summary>[N, S, S, C] -> [N G, L, C].</summary>
    /// <param name="x">The map.</param>
    /// <param name="shift">0, or <see cref="Shift"/>; what leaves the map above and at the left comes back below and at the right.</param>
    public Tensor Cut(Tensor x, long shift)
    {
        using var scope = NewDisposeScope();
        long n = x.shape[0], channels = x.shape[3];
        if (Padded > side) x = F.pad(x, [0, 0, 0, Padded - side, 0, Padded - side]);                      // [N, P, P, C]
        if (shift > 0) x = x.roll([-shift, -shift], [1, 2]);
        return x.view(n, _across, window, _across, window, channels).permute(0, 1, 3, 2, 4, 5)            // [N, P/w, P/w, w, w, C]
            .reshape(n * Count, window * window, channels).MoveToOuterDisposeScope();
    }

    /// <summary>Reverses <see cref="Cut"/>: [N G, L, C] -> [N, S, S, C].</summary>
    public Tensor Join(Tensor windows, long shift)
    {
        using var scope = NewDisposeScope();
        long n = windows.shape[0] / Count, channels = windows.shape[2];
        var x = windows.view(n, _across, _across, window, window, channels).permute(0, 1, 3, 2, 4, 5)     // [N, P/w, w, P/w, w, C]
            .reshape(n, Padded, Padded, channels);
        if (shift > 0) x = x.roll([shift, shift], [1, 2]);
        if (Padded > side) x = x.narrow(1, 0, side).narrow(2, 0, side);
        return x.contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>What is added to the scores of shifted windows, whose positions come from up to four corners of the map.</summary>
    /// <returns>[G, 1, L, L]: 0 where two positions are neighbors on the map, -100 where only the shift brought them together.</returns>
    public Tensor Mask(Device device)
    {
        using var scope = NewDisposeScope();
        long Region(int position) => (position >= Padded - window ? 1 : 0) + (position >= Padded - Shift ? 1 : 0);
        var parts = Enumerable.Range(0, (int)Padded).Select(Region).ToArray();
        var regions = tensor(parts.SelectMany(row => parts.Select(column => (3 * row) + column)).ToArray(), device: device)   // [P P]
            .view(_across, window, _across, window).permute(0, 2, 1, 3).reshape(Count, window * window);  // [G, L]
        var apart = regions.unsqueeze(1).ne(regions.unsqueeze(2));                                        // [G, L, L]
        return apart.to_type(ScalarType.Float32).Times(Hidden).unsqueeze(1).MoveToOuterDisposeScope();
    }

    /// <summary>Row of the table of biases for each pair of positions of a window: [L L], the query's position first.</summary>
    /// <remarks>The table has one row for every difference of two positions, (2 w - 1)² of them.</remarks>
    public static long[] RelativePositions(long window)
    {
        var length = window * window;
        var rows = new long[length * length];
        for (long query = 0, i = 0; query < length; query++)
            for (long key = 0; key < length; key++, i++)
                rows[i] = (query / window - key / window + window - 1) * (2 * window - 1) + query % window - key % window + window - 1;
        return rows;
    }
}
