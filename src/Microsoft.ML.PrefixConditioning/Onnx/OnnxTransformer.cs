namespace Microsoft.ML.PrefixConditioning;

/// <summary>One tower's blocks as nodes: what <see cref="TransformerBlock"/> computes.</summary>
/// <remarks>N rows, T positions, W width, H heads, d = W / H.</remarks>
/// <param name="graph">The graph under construction.</param>
/// <param name="weights">Its weights.</param>
/// <param name="name">Name of the blocks in weight files, such as "visual.transformer.resblocks".</param>
/// <param name="place">Where the nodes belong, such as "/visual/transformer".</param>
/// <param name="sizes">Sizes of the tower.</param>
internal sealed class OnnxTransformer(OnnxGraph graph, OnnxWeights weights, string name, string place, OnnxTowerSizes sizes)
{
    private readonly long _headWidth = sizes.Width / sizes.Heads;
    private readonly OnnxAttention _attention = new(graph, sizes.Heads, sizes.Width / sizes.Heads);
    private readonly float _queryScale = (float)Math.Pow((double)sizes.Width / sizes.Heads, -0.5);

    /// <summary>All blocks but the last.</summary>
    /// <param name="x">[N, T, W].</param>
    /// <param name="mask">[T, T], added to the scores; null where all positions see each other.</param>
    /// <returns>[N, T, W].</returns>
    public string RunAllButLast(string x, string? mask)
    {
        for (var i = 0; i < sizes.Layers - 1; i++)
        {
            var (block, at) = ($"{name}.{i}", $"{place}/resblocks.{i}");
            var packed = weights.Projection(weights.LayerNorm(x, $"{at}/ln_1", $"{block}.ln_1"), $"{at}/attn/in_proj",
                $"{block}.attn.in_proj_", "qkv", first: 0, count: 3, _queryScale);                            // [N, T, 3W]
            var heads = _attention.Heads(packed, 3, $"{at}/attn");                                           // 3 x [N, H, T, d]
            var mixed = _attention.Mix(heads[0], heads[1], heads[2], mask, $"{at}/attn");                    // [N, H, T, d]
            x = Rest(x, _attention.Merge(mixed, $"{at}/attn"), block, at);
        }
        return x;
    }

    /// <summary>The last block, for one position of each row only.</summary>
    /// <param name="x">[N, T, W].</param>
    /// <param name="choose">From [N, T, W] and a place to [N, W]: the rows' own positions.</param>
    /// <param name="mask">[N, 1, 1, T], added to the scores; null where all positions are seen.</param>
    /// <returns>[N, W].</returns>
    public string RunLast(string x, Func<string, string, string> choose, string? mask)
    {
        var (block, at) = ($"{name}.{sizes.Layers - 1}", $"{place}/resblocks.{sizes.Layers - 1}");
        var normed = weights.LayerNorm(x, $"{at}/ln_1", $"{block}.ln_1");
        var query = weights.Projection(choose(normed, $"{at}/attn/pooled"), $"{at}/attn/q_proj",
            $"{block}.attn.in_proj_", "q", first: 0, count: 1, _queryScale);                                  // [N, W]
        query = graph.Add("Reshape", $"{at}/attn/query", [query, graph.Integers(0, sizes.Heads, 1, _headWidth)]);
        var heads = _attention.Heads(weights.Projection(normed, $"{at}/attn/kv_proj",
            $"{block}.attn.in_proj_", "kv", first: 1, count: 2, _queryScale), 2, $"{at}/attn");               // 2 x [N, H, T, d]
        var mixed = _attention.Mix(query, heads[0], heads[1], mask, $"{at}/attn");                           // [N, H, 1, d]
        mixed = graph.Add("Reshape", $"{at}/attn/merge", [mixed, graph.Integers(0, sizes.Width)]);           // [N, W]
        return Rest(choose(x, $"{at}/pooled"), mixed, block, at);
    }

    /// <summary>The second part of a block: output projection and MLP, each with its residual.</summary>
    private string Rest(string x, string mixed, string block, string at)
    {
        x = graph.Add("Add", $"{at}/attn", [x, weights.Linear(mixed, $"{at}/attn/out_proj", $"{block}.attn.out_proj")]);
        var hidden = weights.LayerNorm(x, $"{at}/ln_2", $"{block}.ln_2");
        hidden = weights.Linear(hidden, $"{at}/mlp/c_fc", $"{block}.mlp.c_fc");
        hidden = OnnxActivation.Add(graph, hidden, $"{at}/mlp/gelu", sizes.Activation);
        return graph.Add("Add", at, [x, weights.Linear(hidden, $"{at}/mlp/c_proj", $"{block}.mlp.c_proj")]);
    }
}

/// <summary>Sizes of one tower.</summary>
/// <param name="Width">W.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="Layers">Blocks, at least 1.</param>
/// <param name="Activation">The form of GELU.</param>
internal sealed record OnnxTowerSizes(long Width, long Heads, int Layers, ClipActivation Activation);
