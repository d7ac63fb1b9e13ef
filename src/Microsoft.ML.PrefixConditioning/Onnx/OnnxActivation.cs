namespace Microsoft.ML.PrefixConditioning;

/// <summary>The forms of GELU as nodes.</summary>
internal static class OnnxActivation
{
    /// <summary>Every value on its own.</summary>
    /// <param name="graph">The graph under construction.</param>
    /// <param name="x">Values of any shape.</param>
    /// <param name="at">Where the nodes belong.</param>
    /// <param name="activation">The form of GELU.</param>
    /// <returns>The same shape.</returns>
    public static string Add(OnnxGraph graph, string x, string at, ClipActivation activation) =>
        activation == ClipActivation.Gelu ? Gelu(graph, x, at) : QuickGelu(graph, x, at);

    /// <summary>x (1 + erf(x / √2)) / 2, in the order that ONNX Runtime knows as one operation.</summary>
    private static string Gelu(OnnxGraph graph, string x, string at)
    {
        var erf = graph.Add("Erf", at, [graph.Add("Div", at, [x, graph.Number((float)Math.Sqrt(2))])]);
        var twice = graph.Add("Mul", at, [x, graph.Add("Add", at, [erf, graph.Number(1)])]);
        return graph.Add("Mul", $"{at}/half", [twice, graph.Number(0.5f)]);
    }

    /// <summary>x sigmoid(1.702 x).</summary>
    private static string QuickGelu(OnnxGraph graph, string x, string at)
    {
        var scaled = graph.Add("Mul", $"{at}/scale", [x, graph.Number(1.702f)]);
        return graph.Add("Mul", at, [x, graph.Add("Sigmoid", at, [scaled])]);
    }
}
