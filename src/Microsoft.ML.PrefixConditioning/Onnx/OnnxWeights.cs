using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A model's weights as constants of a graph, by their names in weight files.</summary>
internal sealed class OnnxWeights(OnnxGraph graph, ClipModel model)
{
    private readonly Dictionary<string, Tensor> _named = model.Weights.ToDictionary(w => w.Key, w => w.Value, StringComparer.Ordinal);

    /// <summary>A weight itself, for what is computed from it; to be read only while constants are written.</summary>
    public Tensor this[string name] => _named[name];

    /// <summary>A weight as it is.</summary>
    /// <returns>The constant's name, which is the weight's.</returns>
    public string Get(string name) => graph.Floats(name, _named[name].shape, () => _named[name]);

    /// <summary>x -> x W + b, from W and b as weight files have them: [out, in] and [out].</summary>
    /// <param name="x">[..., in].</param>
    /// <param name="place">Where the nodes belong.</param>
    /// <param name="name">Name of W and b without their endings.</param>
    /// <returns>[..., out].</returns>
    public string Linear(string x, string place, string name)
    {
        var weight = _named[$"{name}.weight"];
        var matrix = graph.Floats($"{name}.weight.transposed", [weight.shape[1], weight.shape[0]], () => weight.t());
        return Affine(x, place, matrix, Get($"{name}.bias"));
    }

    /// <summary>x -> x W + b, from a part of the packed matrix of queries, keys and values.</summary>
    /// <param name="x">[..., W].</param>
    /// <param name="place">Where the nodes belong.</param>
    /// <param name="weight">Name of the packed matrix without its ending, such as "transformer.resblocks.0.attn.in_proj".</param>
    /// <param name="part">The part's name, for constants.</param>
    /// <param name="first">Where the part begins: 0 at the queries, 1 at the keys.</param>
    /// <param name="count">How many of the three it has.</param>
    /// <param name="queryScale">The queries' factor, which saves a multiplication of every pair of positions.</param>
    /// <returns>[..., count W].</returns>
    public string Projection(string x, string place, string weight, string part, int first, int count, float queryScale)
    {
        var width = _named[$"{weight}_weight"].shape[1];
        var doc = first == 0 ? "queries are over the square root of a head's width" : "";
        var matrix = graph.Floats($"{weight}_weight.{part}.transposed", [width, count * width],
            () => Part(_named[$"{weight}_weight"], width, first, count, queryScale).t(), doc);
        var bias = graph.Floats($"{weight}_bias.{part}", [count * width],
            () => Part(_named[$"{weight}_bias"], width, first, count, queryScale), doc);
        return Affine(x, place, matrix, bias);
    }

    /// <summary>Layer normalisation over the last axis.</summary>
    /// <param name="x">[..., W].</param>
    /// <param name="place">Where the node belongs.</param>
    /// <param name="name">Name of gain and bias without their endings.</param>
    /// <returns>[..., W].</returns>
    public string LayerNorm(string x, string place, string name) => graph.Add("LayerNormalization", place,
        [x, Get($"{name}.weight"), Get($"{name}.bias")], OnnxAttribute.Of("axis", -1), OnnxAttribute.Of("epsilon", 1e-5f));

    private string Affine(string x, string place, string matrix, string bias) =>
        graph.Add("Add", place, [graph.Add("MatMul", place, [x, matrix]), bias]);

    private static Tensor Part(Tensor packed, long width, int first, int count, float queryScale)
    {
        var part = packed.narrow(0, first * width, count * width);
        return first > 0 ? part : cat([part.narrow(0, 0, width) * queryScale, part.narrow(0, width, (count - 1) * width)], 0);
    }
}
