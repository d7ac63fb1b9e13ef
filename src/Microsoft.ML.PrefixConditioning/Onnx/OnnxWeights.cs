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
    public string Linear(string x, string place, string name) =>
        graph.Add("Add", place, [Matrix(x, place, name), Get($"{name}.bias")]);

    /// <summary>The same without b.</summary>
    /// <inheritdoc cref="Linear" path="/param|/returns"/>
    public string Matrix(string x, string place, string name)
    {
        var weight = _named[$"{name}.weight"];
        var matrix = graph.Floats($"{name}.weight.transposed", [weight.shape[1], weight.shape[0]], () => weight.t());
        return graph.Add("MatMul", place, [x, matrix]);
    }

    /// <summary>A convolution without bias and the batch normalization behind it, as one convolution.</summary>
    /// <param name="x">[N, in, H, W].</param>
    /// <param name="place">Where the node belongs.</param>
    /// <param name="name">Name of the convolution's weight without its ending.</param>
    /// <param name="norm">Name of the normalization's weights and statistics without their endings.</param>
    /// <param name="stride">Step from one position to the next.</param>
    /// <returns>[N, out, H / stride, W / stride].</returns>
    public string Convolution(string x, string place, string name, string norm, long stride)
    {
        var weight = _named[$"{name}.weight"];
        long kernel = weight.shape[2], margin = kernel / 2;
        Tensor Factor() => _named[$"{norm}.weight"] / _named[$"{norm}.running_var"].Plus(1e-5).sqrt();
        var matrix = graph.Floats($"{name}.weight.folded", weight.shape, () => weight * Factor().view(-1, 1, 1, 1),
            $"times {norm}'s gain over its standard deviation");
        var bias = graph.Floats($"{norm}.bias.folded", [weight.shape[0]],
            () => _named[$"{norm}.bias"] - _named[$"{norm}.running_mean"] * Factor(), "less the mean, scaled as the convolution is");
        return graph.Add("Conv", place, [x, matrix, bias], OnnxAttribute.Of("kernel_shape", kernel, kernel),
            OnnxAttribute.Of("strides", stride, stride), OnnxAttribute.Of("pads", margin, margin, margin, margin));
    }

    /// <summary>x -> x W + b, from a part of the packed matrix of queries, keys and values.</summary>
    /// <param name="x">[..., W].</param>
    /// <param name="place">Where the nodes belong.</param>
    /// <param name="weight">Start of the names of packed matrix and bias, such as "transformer.resblocks.0.attn.in_proj_".</param>
    /// <param name="part">The part's name, for constants.</param>
    /// <param name="first">Where the part begins: 0 at the queries, 1 at the keys.</param>
    /// <param name="count">How many of the three it has.</param>
    /// <param name="queryScale">The queries' factor, which saves a multiplication of every pair of positions.</param>
    /// <returns>[..., count W].</returns>
    public string Projection(string x, string place, string weight, string part, int first, int count, float queryScale)
    {
        var width = _named[$"{weight}weight"].shape[1];
        var doc = first == 0 ? "queries are over the square root of a head's width" : "";
        var matrix = graph.Floats($"{weight}weight.{part}.transposed", [width, count * width],
            () => Part(_named[$"{weight}weight"], width, first, count, queryScale).t(), doc);
        var bias = graph.Floats($"{weight}bias.{part}", [count * width],
            () => Part(_named[$"{weight}bias"], width, first, count, queryScale), doc);
        return graph.Add("Add", place, [graph.Add("MatMul", place, [x, matrix]), bias]);
    }

    /// <summary>Layer normalization over the last axis.</summary>
    /// <param name="x">[..., W].</param>
    /// <param name="place">Where the nodes belong.</param>
    /// <param name="name">Name of gain and bias without their endings.</param>
    /// <returns>[..., W].</returns>
    public string LayerNorm(string x, string place, string name)
    {
        const int FirstOpset = 17;
        const float Epsilon = 1e-5f;
        var (gain, bias) = (Get($"{name}.weight"), Get($"{name}.bias"));
        if (graph.Opset >= FirstOpset)
            return graph.Add("LayerNormalization", place, [x, gain, bias],
                OnnxAttribute.Of("axis", -1), OnnxAttribute.Of("epsilon", Epsilon));
        // The order that ONNX Runtime knows as one operation
        var centered = graph.Add("Sub", $"{place}/center", [x, Mean(x, $"{place}/center")]);
        var variance = Mean(graph.Add("Pow", $"{place}/scale", [centered, graph.Number(2)]), $"{place}/scale");
        var deviation = graph.Add("Sqrt", $"{place}/scale", [graph.Add("Add", $"{place}/scale", [variance, graph.Number(Epsilon)])]);
        var normalized = graph.Add("Div", $"{place}/scale", [centered, deviation]);
        return graph.Add("Add", $"{place}/affine", [graph.Add("Mul", $"{place}/affine", [normalized, gain]), bias]);
    }

    private string Mean(string x, string place) =>
        graph.Add("ReduceMean", place, [x], OnnxAttribute.Of("axes", [-1L]), OnnxAttribute.Of("keepdims", 1));

    private static Tensor Part(Tensor packed, long width, int first, int count, float queryScale)
    {
        var part = packed.narrow(0, first * width, count * width);
        return first > 0 ? part : cat([part.narrow(0, 0, width).Times(queryScale), part.narrow(0, width, (count - 1) * width)], 0);
    }
}
