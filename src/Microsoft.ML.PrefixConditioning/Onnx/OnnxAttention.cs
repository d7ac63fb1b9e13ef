namespace Microsoft.ML.PrefixConditioning;

/// <summary>Attention of several heads as nodes.</summary>
/// <remarks>N rows, L positions, H heads, d width of a head; rows may have a second axis, windows of an image for example.</remarks>
/// <param name="graph">The graph under construction.</param>
/// <param name="heads">H.</param>
/// <param name="headWidth">d.</param>
/// <param name="rowAxes">Axes before the positions' own.</param>
internal sealed class OnnxAttention(OnnxGraph graph, long heads, long headWidth, int rowAxes = 1)
{
    private readonly long[] _kept = new long[rowAxes];   // 0 keeps an axis as it is

    /// <summary>Swaps positions and heads.</summary>
    private readonly OnnxAttribute _swap =
        OnnxAttribute.Of("perm", [.. Enumerable.Range(0, rowAxes), rowAxes + 1, rowAxes, rowAxes + 2]);

    /// <summary>[N, L, H d] -> [N, H, L, d].</summary>
    public string Head(string x, string at) => Apart(x, 1, at);

    /// <summary>[N, L, count H d] -> count x [N, H, L, d].</summary>
    public string[] Heads(string packed, int count, string at) =>
        graph.Add("Split", $"{at}/heads", [Apart(packed, count, $"{at}/heads")], count, OnnxAttribute.Of("axis", rowAxes));

    /// <summary>softmax(query key' + mask) value; the queries are scaled already.</summary>
    /// <param name="query">[N, H, Q, d], Q queries.</param>
    /// <param name="key">[N, H, L, d].</param>
    /// <param name="value">[N, H, L, d].</param>
    /// <param name="mask">Added to the scores [N, H, Q, L]; null for nothing.</param>
    /// <param name="at">Where the nodes belong.</param>
    /// <returns>[N, H, Q, d].</returns>
    public string Mix(string query, string key, string value, string? mask, string at)
    {
        long[] transposed = [.. Enumerable.Range(0, rowAxes + 1), rowAxes + 2, rowAxes + 1];
        key = graph.Add("Transpose", $"{at}/key", [key], OnnxAttribute.Of("perm", transposed));             // [N, H, d, L]
        var scores = graph.Add("MatMul", $"{at}/scores", [query, key]);                                      // [N, H, Q, L]
        if (mask is not null) scores = graph.Add("Add", $"{at}/scores", [scores, mask]);
        var shares = graph.Add("Softmax", at, [scores], OnnxAttribute.Of("axis", -1));
        return graph.Add("MatMul", $"{at}/mix", [shares, value]);
    }

    /// <summary>[N, H, L, d] -> [N, L, H d].</summary>
    public string Merge(string mixed, string at)
    {
        mixed = graph.Add("Transpose", $"{at}/merge", [mixed], _swap);                                       // [N, L, H, d]
        return graph.Add("Reshape", $"{at}/merge", [mixed, graph.Integers([.. _kept, 0, heads * headWidth])]);
    }

    /// <summary>[N, L, count H d] -> [N, count H, L, d].</summary>
    private string Apart(string x, long count, string at)
    {
        var split = graph.Add("Reshape", at, [x, graph.Integers([.. _kept, 0, count * heads, headWidth])]);
        return graph.Add("Transpose", at, [split], _swap);
    }
}
