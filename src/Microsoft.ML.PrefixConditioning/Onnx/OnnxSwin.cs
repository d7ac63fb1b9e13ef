using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The Swin transformer as nodes: what <see cref="SwinTower"/> computes.</summary>
/// <remarks>
/// The image size is fixed, so that cutting a map into windows and joining them again is picking positions in a constant order, padding and
/// shift included. N images, S positions on a side, w on a side of a window, L = w² in a window, G windows of an image, C channels, H
/// heads, D embedding size.
/// </remarks>
/// <param name="graph">The graph under construction.</param>
/// <param name="weights">Its weights.</param>
/// <param name="architecture">Sizes of the tower.</param>
internal sealed class OnnxSwin(OnnxGraph graph, OnnxWeights weights, ClipArchitecture architecture)
{
    private readonly long _window = architecture.Swin!.WindowSize;

    /// <summary>Embeddings, not yet of unit length.</summary>
    /// <param name="pixels">[N, 3, image size, image size], normalized.</param>
    /// <returns>[N, D].</returns>
    public string Features(string pixels)
    {
        long patch = architecture.PatchSize, side = architecture.ImageSize / patch;
        long width = architecture.VisionWidth, heads = architecture.VisionHeads;
        var x = graph.Add("Conv", "/visual/features.0", [pixels, weights.Get("visual.features.0.0.weight"),
            weights.Get("visual.features.0.0.bias")],
            OnnxAttribute.Of("kernel_shape", patch, patch), OnnxAttribute.Of("strides", patch, patch));
        x = graph.Add("Reshape", "/visual/features.0", [x, graph.Integers(0, width, side * side)]);          // [N, C, S S]
        x = graph.Add("Transpose", "/visual/features.0", [x], OnnxAttribute.Of("perm", 0, 2, 1));            // [N, S S, C]
        x = weights.LayerNorm(x, "/visual/features.0", "visual.features.0.2");
        var blocks = architecture.Swin!.ToArray();
        for (var stage = 0; stage < blocks.Length; stage++)
        {
            for (var i = 0; i < blocks[stage]; i++) x = Block(x, $"features.{2 * stage + 1}.{i}", side, width, heads, i % 2 == 1);
            if (stage == blocks.Length - 1) break;
            x = Merge(x, $"features.{2 * stage + 2}", side, width);
            (side, width, heads) = ((side + 1) / 2, 2 * width, 2 * heads);
        }
        x = weights.LayerNorm(x, "/visual/norm", "visual.norm");
        x = graph.Add("ReduceMean", "/visual/norm", [x], OnnxAttribute.Of("axes", [1L]), OnnxAttribute.Of("keepdims", 0));   // [N, C]
        return weights.Matrix(x, "/visual/head", "visual.head");
    }

    /// <summary>[N, S S, C] -> [N, S S, C].</summary>
    private string Block(string x, string block, long side, long width, long heads, bool shifted)
    {
        var (at, name, windows) = ($"/visual/{block}", $"visual.{block}", new SwinWindows(side, _window));
        var shift = shifted ? windows.Shift : 0;
        var cut = Pick(weights.LayerNorm(x, $"{at}/norm1", $"{name}.norm1"), $"{at}/cut", side, map => windows.Cut(map, shift));
        cut = graph.Add("Reshape", $"{at}/cut", [cut, graph.Integers(0, windows.Count, _window * _window, width)]);   // [N, G, L, C]
        var size = width / heads;
        var packed = weights.Projection(cut, $"{at}/attn/qkv", $"{name}.attn.qkv.", "scaled", first: 0, count: 3,
            (float)Math.Pow(size, -0.5));                                                                     // [N, G, L, 3 C]
        var attention = new OnnxAttention(graph, heads, size, rowAxes: 2);
        var parts = attention.Heads(packed, 3, $"{at}/attn");                                                 // 3 x [N, G, H, L, C/H]
        var mixed = attention.Mix(parts[0], parts[1], parts[2], Biases(name, windows, heads, shift), $"{at}/attn");
        mixed = weights.Linear(attention.Merge(mixed, $"{at}/attn"), $"{at}/attn/proj", $"{name}.attn.proj");  // [N, G, L, C]
        mixed = graph.Add("Reshape", $"{at}/join", [mixed, graph.Integers(0, windows.Count * _window * _window, width)]);
        x = graph.Add("Add", $"{at}/attn", [x, Unpick(mixed, $"{at}/join", windows, shift)]);

        var hidden = weights.Linear(weights.LayerNorm(x, $"{at}/norm2", $"{name}.norm2"), $"{at}/mlp/expand", $"{name}.mlp.0");
        hidden = OnnxActivation.Add(graph, hidden, $"{at}/mlp/gelu", ClipActivation.Gelu);
        return graph.Add("Add", at, [x, weights.Linear(hidden, $"{at}/mlp/reduce", $"{name}.mlp.3")]);
    }

    /// <summary>What is added to the scores: [H, L, L], or [G, H, L, L] where shifted windows hide positions from each other.</summary>
    private string Biases(string block, SwinWindows windows, long heads, long shift)
    {
        var (table, length) = ($"{block}.attn.relative_position_bias_table", _window * _window);
        Tensor Plain() => weights[table].cpu().index_select(0, tensor(SwinWindows.RelativePositions(_window)))
            .view(length, length, heads).permute(2, 0, 1);
        return shift == 0
            ? graph.Floats($"{table}.by_pair", [heads, length, length], Plain, "a row of the table for every pair of positions")
            : graph.Floats($"{table}.by_pair", [windows.Count, heads, length, length], () => Plain().Plus(windows.Mask(CPU)),
                "a row of the table for every pair of positions, and -100 where only the shift brought them together");
    }

    /// <summary>Four neighbors become one position: [N, S S, C] -> [N, ⌈S/2⌉², 2 C].</summary>
    private string Merge(string x, string name, long side, long width)
    {
        var (at, half) = ($"/visual/{name}", (side + 1) / 2);
        x = Pick(x, at, side, SwinMerging.Neighbors);                                                        // [N, 4 half², C]
        x = graph.Add("Reshape", at, [x, graph.Integers(0, half * half, 4 * width)]);
        return weights.Matrix(weights.LayerNorm(x, $"{at}/norm", $"visual.{name}.norm"), $"{at}/reduction", $"visual.{name}.reduction");
    }

    /// <summary>Positions of a map in another order; where the order has none of them, zeros.</summary>
    /// <param name="x">[N, S S, C].</param>
    /// <param name="at">Where the nodes belong.</param>
    /// <param name="side">S.</param>
    /// <param name="reorder">The order, as the tower itself makes it: [1, S, S, 1] to a value for every position after it.</param>
    /// <returns>[N, positions, C].</returns>
    private string Pick(string x, string at, long side, Func<Tensor, Tensor> reorder)
    {
        using var scope = NewDisposeScope();
        // Numbered from 1, since what the tower pads with is 0; 4096² numbers would still be exact.
        var numbered = tensor(Enumerable.Range(1, (int)(side * side)).Select(i => (float)i).ToArray()).view(1, side, side, 1);
        long[] order = [.. reorder(numbered).contiguous().data<float>().Select(number => (long)number)];
        if (order.Contains(0)) x = graph.Add("Pad", at, [x, graph.Integers(0, 1, 0, 0, 0, 0)]);               // zeros in front
        else order = [.. order.Select(number => number - 1)];
        return graph.Add("Gather", at, [x, graph.Integers($"{at}/order", order)], OnnxAttribute.Of("axis", 1));
    }

    /// <summary>Windows to the map that they were cut from: [N, G L, C] -> [N, S S, C].</summary>
    private string Unpick(string x, string at, SwinWindows windows, long shift)
    {
        using var scope = NewDisposeScope();
        var length = _window * _window;
        var numbered = tensor(Enumerable.Range(0, (int)(windows.Count * length)).Select(i => (float)i).ToArray())
            .view(windows.Count, length, 1);
        long[] order = [.. windows.Join(numbered, shift).data<float>().Select(number => (long)number)];
        return graph.Add("Gather", at, [x, graph.Integers($"{at}/order", order)], OnnxAttribute.Of("axis", 1));
    }
}
