namespace Microsoft.ML.PrefixConditioning;

/// <summary>CLIP's ResNet as nodes: what <see cref="ResNetTower"/> computes.</summary>
/// <remarks>
/// Batch normalization uses fixed statistics, so that it is folded into the convolution before it. N images, S image size, W stem width,
/// C = 32 W channels, G = (S / 32)² positions of the last stage, D embedding size.
/// </remarks>
/// <param name="graph">The graph under construction.</param>
/// <param name="weights">Its weights.</param>
/// <param name="architecture">Sizes of the tower.</param>
internal sealed class OnnxResNet(OnnxGraph graph, OnnxWeights weights, ClipArchitecture architecture)
{
    /// <summary>Embeddings, not yet of unit length.</summary>
    /// <param name="pixels">[N, 3, S, S], normalized.</param>
    /// <returns>[N, D].</returns>
    public string Features(string pixels)
    {
        var x = Activated(pixels, "/visual", "visual", part: 1, stride: 2);                                  // [N, W/2, S/2, S/2]
        x = Activated(x, "/visual", "visual", part: 2);
        x = Activated(x, "/visual", "visual", part: 3);                                                      // [N, W, S/2, S/2]
        x = Shrink(x, "/visual");                                                                            // [N, W, S/4, S/4]
        var blocks = architecture.ResNet!.ToArray();
        for (var stage = 0; stage < blocks.Length; stage++)
            for (var i = 0; i < blocks[stage]; i++)
                x = Block(x, $"layer{stage + 1}.{i}", isFirst: i == 0, shrinks: stage > 0 && i == 0);
        return Pool(x, "/visual/attnpool", "visual.attnpool");
    }

    /// <summary>A bottleneck block: x + (1 x 1, 3 x 3, average pool, 1 x 1).</summary>
    private string Block(string x, string block, bool isFirst, bool shrinks)
    {
        var (at, name) = ($"/visual/{block}", $"visual.{block}");
        var inner = Activated(Activated(x, at, name, part: 1), at, name, part: 2);
        if (shrinks) inner = Shrink(inner, at);
        inner = weights.Convolution(inner, $"{at}/conv3", $"{name}.conv3", $"{name}.bn3", stride: 1);
        if (isFirst)
        {
            if (shrinks) x = Shrink(x, $"{at}/downsample");
            x = weights.Convolution(x, $"{at}/downsample", $"{name}.downsample.0", $"{name}.downsample.1", stride: 1);
        }
        return graph.Add("Relu", at, [graph.Add("Add", at, [inner, x])]);
    }

    private string Activated(string x, string at, string name, int part, long stride = 1)
    {
        var place = $"{at}/conv{part}";
        return graph.Add("Relu", place, [weights.Convolution(x, place, $"{name}.conv{part}", $"{name}.bn{part}", stride)]);
    }

    private string Shrink(string x, string at) => graph.Add("AveragePool", at, [x],
        OnnxAttribute.Of("kernel_shape", 2, 2), OnnxAttribute.Of("strides", 2, 2));

    /// <summary>Attention of the mean over all positions: [N, C, S/32, S/32] -> [N, D].</summary>
    private string Pool(string x, string at, string name)
    {
        long side = architecture.ImageSize / ResNetTower.Reduction, channels = architecture.VisionWidth * 32L;
        var size = channels / architecture.VisionHeads;
        x = graph.Add("Reshape", at, [x, graph.Integers(0, channels, side * side)]);                         // [N, C, G]
        x = graph.Add("Transpose", at, [x], OnnxAttribute.Of("perm", 0, 2, 1));                              // [N, G, C]
        var mean = graph.Add("ReduceMean", at, [x], OnnxAttribute.Of("axes", [1L]), OnnxAttribute.Of("keepdims", 1));
        x = graph.Add("Concat", at, [mean, x], OnnxAttribute.Of("axis", 1));                                 // [N, 1+G, C]
        x = graph.Add("Add", at, [x, weights.Get($"{name}.positional_embedding")]);
        var first = graph.Add("Gather", at, [x, graph.Integers(0)], OnnxAttribute.Of("axis", 1));            // [N, 1, C]
        var query = weights.Linear(first, $"{at}/q_proj", $"{name}.q_proj");
        query = graph.Add("Mul", $"{at}/q_proj", [query, graph.Number((float)Math.Pow(size, -0.5))]);
        var attention = new OnnxAttention(graph, architecture.VisionHeads, size);
        var mixed = attention.Mix(
            attention.Head(query, $"{at}/q_proj"),                                                           // [N, H, 1, C/H]
            attention.Head(weights.Linear(x, $"{at}/k_proj", $"{name}.k_proj"), $"{at}/k_proj"),             // [N, H, 1+G, C/H]
            attention.Head(weights.Linear(x, $"{at}/v_proj", $"{name}.v_proj"), $"{at}/v_proj"), mask: null, at);
        mixed = graph.Add("Reshape", $"{at}/merge", [mixed, graph.Integers(0, channels)]);                   // [N, C]
        return weights.Linear(mixed, $"{at}/c_proj", $"{name}.c_proj");
    }
}
