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
                $"{block}.attn.in_proj", "qkv", first: 0, count: 3, _queryScale);                            // [N, T, 3W]
            var heads = Heads(packed, 3, $"{at}/attn");                                                      // 3 x [N, H, T, d]
            var mixed = Attend(heads[0], heads[1], heads[2], mask, $"{at}/attn");                            // [N, H, T, d]
            mixed = graph.Add("Transpose", $"{at}/attn/merge", [mixed], OnnxAttribute.Of("perm", 0, 2, 1, 3));
            mixed = graph.Add("Reshape", $"{at}/attn/merge", [mixed, graph.Integers(0, 0, sizes.Width)]);    // [N, T, W]
            x = Rest(x, mixed, block, at);
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
            $"{block}.attn.in_proj", "q", first: 0, count: 1, _queryScale);                                  // [N, W]
        query = graph.Add("Reshape", $"{at}/attn/query", [query, graph.Integers(0, sizes.Heads, 1, _headWidth)]);
        var heads = Heads(weights.Projection(normed, $"{at}/attn/kv_proj",
            $"{block}.attn.in_proj", "kv", first: 1, count: 2, _queryScale), 2, $"{at}/attn");               // 2 x [N, H, T, d]
        var mixed = Attend(query, heads[0], heads[1], mask, $"{at}/attn");                                   // [N, H, 1, d]
        mixed = graph.Add("Reshape", $"{at}/attn/merge", [mixed, graph.Integers(0, sizes.Width)]);           // [N, W]
        return Rest(choose(x, $"{at}/pooled"), mixed, block, at);
    }

    /// <summary>[N, T, count W] -> count x [N, H, T, d].</summary>
    private string[] Heads(string packed, int count, string at)
    {
        var split = graph.Add("Reshape", $"{at}/heads", [packed, graph.Integers(0, 0, count * sizes.Heads, _headWidth)]);
        split = graph.Add("Transpose", $"{at}/heads", [split], OnnxAttribute.Of("perm", 0, 2, 1, 3));       // [N, count H, T, d]
        return graph.Add("Split", $"{at}/heads", [split], count, OnnxAttribute.Of("axis", 1));
    }

    private string Attend(string query, string key, string value, string? mask, string at)
    {
        key = graph.Add("Transpose", $"{at}/key", [key], OnnxAttribute.Of("perm", 0, 1, 3, 2));             // [N, H, d, T]
        var scores = graph.Add("MatMul", $"{at}/scores", [query, key]);                                      // [N, H, Tq, T]
        if (mask is not null) scores = graph.Add("Add", $"{at}/scores", [scores, mask]);
        var shares = graph.Add("Softmax", at, [scores], OnnxAttribute.Of("axis", -1));
        return graph.Add("MatMul", $"{at}/mix", [shares, value]);
    }

    /// <summary>From the mixed values to the block's result: output projection and MLP, each added to what came before.</summary>
    private string Rest(string x, string mixed, string block, string at)
    {
        x = graph.Add("Add", $"{at}/attn", [x, weights.Linear(mixed, $"{at}/attn/out_proj", $"{block}.attn.out_proj")]);
        var hidden = weights.LayerNorm(x, $"{at}/ln_2", $"{block}.ln_2");
        hidden = weights.Linear(hidden, $"{at}/mlp/c_fc", $"{block}.mlp.c_fc");
        hidden = sizes.Activation == ClipActivation.Gelu ? Gelu(hidden, $"{at}/mlp/gelu") : QuickGelu(hidden, $"{at}/mlp/gelu");
        return graph.Add("Add", at, [x, weights.Linear(hidden, $"{at}/mlp/c_proj", $"{block}.mlp.c_proj")]);
    }

    /// <summary>x (1 + erf(x / √2)) / 2, in the order that ONNX Runtime knows as one operation.</summary>
    private string Gelu(string x, string at)
    {
        var erf = graph.Add("Erf", at, [graph.Add("Div", at, [x, graph.Number((float)Math.Sqrt(2))])]);
        var twice = graph.Add("Mul", at, [x, graph.Add("Add", at, [erf, graph.Number(1)])]);
        return graph.Add("Mul", $"{at}/half", [twice, graph.Number(0.5f)]);
    }

    /// <summary>x sigmoid(1.702 x).</summary>
    private string QuickGelu(string x, string at)
    {
        var scaled = graph.Add("Mul", $"{at}/scale", [x, graph.Number(1.702f)]);
        return graph.Add("Mul", at, [x, graph.Add("Sigmoid", at, [scaled])]);
    }
}

/// <summary>Sizes of one tower.</summary>
/// <param name="Width">W.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="Layers">Blocks, at least 1.</param>
/// <param name="Activation">The form of GELU.</param>
internal sealed record OnnxTowerSizes(long Width, long Heads, int Layers, ClipActivation Activation);
