using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Both towers as nodes: what <see cref="IVisionTower"/> and <see cref="TextTower"/> compute, with a prefix folded in.</summary>
/// <remarks>N images or texts, S image size, G patches, P prefix tokens, L tokens, T = P + L positions, C context length, W width, D
/// embedding size.</remarks>
internal sealed class OnnxTowers
{
    private readonly OnnxGraph _graph;
    private readonly OnnxWeights _weights;
    private readonly ClipModelShape _shape;
    private readonly IVisionTower _vision;

    public OnnxTowers(OnnxGraph graph, ClipModel model)
    {
        (_graph, _shape, _vision) = (graph, model.Shape, model.Vision);
        _weights = new OnnxWeights(graph, model);
    }

    private ClipArchitecture Sizes => _shape.Architecture;

    /// <summary>The vision tower.</summary>
    /// <param name="pixels">[N, 3, S, S], normalized.</param>
    /// <param name="prefix">The image prefix, by its type's index; null for none.</param>
    /// <param name="output">Name of the result.</param>
    /// <returns>[N, D], unit length.</returns>
    public string Images(string pixels, int? prefix, string output) =>
        UnitLength(Features(_vision, pixels, prefix), "/visual/normalize", output);

    /// <summary>What a vision tower computes: [N, 3, S, S] -> [N, D].</summary>
    /// <exception cref="NotSupportedException">The tower has no graph.</exception>
    internal string Features(IVisionTower tower, string pixels, int? prefix) => tower switch
    {
        VisionTower => VisionTransformer(pixels, prefix),
        ResNetTower => new OnnxResNet(_graph, _weights, Sizes).Features(pixels),
        SwinTower => new OnnxSwin(_graph, _weights, Sizes).Features(pixels),
        _ => throw new NotSupportedException($"{tower.GetType().Name} has no ONNX graph: add one to {nameof(OnnxTowers)}."),
    };

    /// <summary>What <see cref="VisionTower"/> computes: [N, 3, S, S] -> [N, D].</summary>
    private string VisionTransformer(string pixels, int? prefix)
    {
        long width = Sizes.VisionWidth, patch = Sizes.PatchSize, grid = Sizes.ImageSize / patch, patches = grid * grid;
        long before = prefix is null ? 0 : _shape.ImagePrefixLength;                          // P
        var sequence = _graph.Add("Conv", "/visual/conv1", [pixels, _weights.Get("visual.conv1.weight")],
            OnnxAttribute.Of("kernel_shape", patch, patch), OnnxAttribute.Of("strides", patch, patch)); // [N, W, S/p, S/p]
        sequence = _graph.Add("Reshape", "/visual", [sequence, _graph.Integers(0, width, patches)]);
        sequence = _graph.Add("Transpose", "/visual", [sequence], OnnxAttribute.Of("perm", 0, 2, 1));    // [N, G, W]
        // Room for the prefix and the class token; their values come with the positions, which are constant too.
        sequence = _graph.Add("Pad", "/visual", [sequence, _graph.Integers(0, before + 1, 0, 0, 0, 0)]);  // [N, P+1+G, W]
        var positions = _graph.Floats("visual.positional_embedding.folded", [before + 1 + patches, width], () => VisionPositions(prefix),
            $"{(prefix is null ? "" : $"visual.prefix_embedding[{prefix}], then ")}positions, with the class token in the first");
        sequence = _graph.Add("Add", "/visual", [sequence, positions]);
        sequence = _weights.LayerNorm(sequence, "/visual/ln_pre", "visual.ln_pre");

        var blocks = new OnnxTransformer(_graph, _weights, "visual.transformer.resblocks", "/visual/transformer",
            new OnnxTowerSizes(width, Sizes.VisionHeads, Sizes.VisionLayers, Sizes.Activation));
        sequence = blocks.RunAllButLast(sequence, mask: null);
        var pooled = blocks.RunLast(sequence, (x, place) =>
            _graph.Add("Gather", place, [x, _graph.Integer(before)], OnnxAttribute.Of("axis", 1)), mask: null);
        pooled = _weights.LayerNorm(pooled, "/visual/ln_post", "visual.ln_post");
        return _graph.Add("MatMul", "/visual/proj", [pooled, _weights.Get("visual.proj")]);
    }

    /// <summary>The text tower.</summary>
    /// <param name="ids">[N, L] int64 token ids.</param>
    /// <param name="prefixes">Dataset types by index with weights that add up to 1; empty for no prefix.</param>
    /// <param name="output">Name of the result.</param>
    /// <returns>[N, D], unit length. The passes of K prefixes go through the blocks as one batch of K N rows.</returns>
    public string Texts(string ids, IReadOnlyList<(int Type, double Weight)> prefixes, string output)
    {
        if (_shape.PrefixLength == 0) prefixes = [];                                           // all of them are the same then
        long before = prefixes.Count == 0 ? 0 : _shape.PrefixLength;                          // P
        var sequence = _graph.Add("Gather", "/token_embedding", [_weights.Get("token_embedding.weight"), ids]);   // [N, L, W]
        if (before > 0) sequence = _graph.Add("Pad", "/prefix", [sequence, _graph.Integers(0, before, 0, 0, 0, 0)]);   // [N, T, W]
        var length = _graph.Add("Shape", "/positions", [sequence], OnnxAttribute.Of("start", 1), OnnxAttribute.Of("end", 2));   // [1]: T
        int?[] types = before == 0 ? [null] : [.. prefixes.Select(p => (int?)p.Type)];
        var passes = types.Select(type => WithPositions(sequence, length, type, before)).ToArray();
        var all = passes.Length == 1 ? passes[0] : _graph.Add("Concat", "/passes", passes, OnnxAttribute.Of("axis", 0));   // [K N, T, W]

        var mask = CausalMask(length);                                                        // [T, T]
        var end = End(ids, before, passes.Length);                                            // [K N, 1]
        var blocks = new OnnxTransformer(_graph, _weights, "transformer.resblocks", "/transformer",
            new OnnxTowerSizes(Sizes.TextWidth, Sizes.TextHeads, Sizes.TextLayers, Sizes.Activation));
        all = blocks.RunAllButLast(all, mask);
        var visible = _graph.Add("Gather", "/mask/end", [mask, end], OnnxAttribute.Of("axis", 0));               // [K N, 1, T]
        visible = _graph.Add("Unsqueeze", "/mask/end", [visible, _graph.Integers(1)]);                           // [K N, 1, 1, T]
        var pooled = blocks.RunLast(all, (x, place) => _graph.Add("GatherND", place, [x, end], OnnxAttribute.Of("batch_dims", 1)), visible);
        pooled = _weights.LayerNorm(pooled, "/ln_final", "ln_final");
        // [N, D], or of several prefixes [K N, D]
        var features = _graph.Add("MatMul", "/text_projection", [pooled, _weights.Get("text_projection")]);
        return prefixes.Count <= 1 ? UnitLength(features, "/normalize", output) : Blend(features, prefixes, output);
    }

    /// <summary>Vectors of length 1: [..., D] -> [..., D], as torch's <c>normalize</c> computes them.</summary>
    private string UnitLength(string x, string place, string? output)
    {
        var length = _graph.Add("ReduceL2", place, [x], OnnxAttribute.Of("axes", [-1L]), OnnxAttribute.Of("keepdims", 1));
        length = _graph.Add("Clip", place, [length, _graph.Number(1e-12f)]);
        return output is null ? _graph.Add("Div", place, [x, length]) : _graph.Add("Div", place, [x, length], output);
    }

    /// <summary>The weighted mean of the passes, made unit length again: [K N, D] -> [N, D].</summary>
    private string Blend(string features, IReadOnlyList<(int Type, double Weight)> prefixes, string output)
    {
        long passes = prefixes.Count;
        var unit = UnitLength(features, "/passes/normalize", output: null);
        unit = _graph.Add("Reshape", "/passes", [unit, _graph.Integers(passes, -1, Sizes.EmbeddingSize)]);        // [K, N, D]
        float[] shares = [.. prefixes.Select(p => (float)p.Weight)];
        var weights = _graph.Floats("prefix_weights", [passes, 1, 1], () => tensor(shares, [passes, 1, 1]), "each prefix's share");
        unit = _graph.Add("Mul", "/passes", [unit, weights]);
        var sum = _graph.Add("ReduceSum", "/passes", [unit, _graph.Integers(0)], OnnxAttribute.Of("keepdims", 0));   // [N, D]
        return UnitLength(sum, "/normalize", output);
    }

    private string WithPositions(string sequence, string length, int? type, long before)
    {
        var (table, place) = type is { } index ? (PrefixPositions(index, before), $"/positions/prefix_{index}")
            : (_weights.Get("positional_embedding"), "/positions");
        var positions = _graph.Add("Slice", place, [table, _graph.Integers(0), length, _graph.Integers(0)]);      // [T, W]
        return _graph.Add("Add", place, [sequence, positions]);
    }

    /// <summary>[P + C, W]: a type's prefix, which has no positions added, then the positions of the content.</summary>
    private string PrefixPositions(int type, long before) => _graph.Floats(
        $"positional_embedding.prefix_{type}", [before + Sizes.ContextLength, Sizes.TextWidth],
        () => cat([_weights["prefix_embedding"].select(0, type), _weights["positional_embedding"]], 0),
        $"prefix_embedding[{type}], then positional_embedding");

    /// <summary>[T, T]: minus infinity where a position would look at a later one, else 0.</summary>
    private string CausalMask(string length)
    {
        var square = _graph.Add("Concat", "/mask", [length, length], OnnxAttribute.Of("axis", 0));
        var hidden = _graph.Add("ConstantOfShape", "/mask", [square], OnnxAttribute.OneNumber("value", float.NegativeInfinity));
        return _graph.Add("Trilu", "/mask", [hidden, _graph.Integer(1)], OnnxAttribute.Of("upper", 1));
    }

    /// <summary>[K N, 1]: the place of the end token, which has the largest id; its first place counts.</summary>
    private string End(string ids, long before, int passes)
    {
        // ONNX Runtime looks for the largest of 32-bit integers only.
        var narrow = _graph.Add("Cast", "/end", [ids], OnnxAttribute.Of("to", (long)OnnxElement.Int32));
        var end = _graph.Add("ArgMax", "/end", [narrow], OnnxAttribute.Of("axis", 1), OnnxAttribute.Of("keepdims", 1));
        if (before > 0) end = _graph.Add("Add", "/end", [end, _graph.Integer(before)]);
        return passes == 1 ? end : _graph.Add("Tile", "/end", [end, _graph.Integers(passes, 1)]);
    }

    private Tensor VisionPositions(int? prefix)
    {
        var positions = _weights["visual.positional_embedding"];
        var first = positions[0].Plus(_weights["visual.class_embedding"]).unsqueeze(0);
        var all = cat([first, positions.narrow(0, 1, positions.shape[0] - 1)], 0);
        return prefix is { } type ? cat([_weights["visual.prefix_embedding"].select(0, type), all], 0) : all;
    }
}
