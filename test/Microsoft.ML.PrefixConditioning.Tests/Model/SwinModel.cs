using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The reference's tiny Swin models, whose values follow from their names: test/golden/swin_tiny.</summary>
internal static class SwinModel
{
    /// <summary>The size of a vision tower in a golden file.</summary>
    public static ClipArchitecture Golden(string name) => name == "even"
        ? SmallModel.Architecture with
        {
            ImageSize = 32,
            PatchSize = 4,
            VisionWidth = 8,
            VisionHeads = 2,
            VisionLayers = 4,
            EmbeddingSize = 6,
            Swin = new SwinStages(2, 2) { WindowSize = 4 },
        }
        : SmallModel.Architecture with
        {
            ImageSize = 40,
            PatchSize = 4,
            VisionWidth = 4,
            VisionHeads = 1,
            VisionLayers = 7,
            EmbeddingSize = 6,
            Swin = new SwinStages(2, 2, 2, 1) { WindowSize = 3 },
        };

    /// <summary>A Swin for the drawings of 16 x 16 pixels: two stages of 8 x 8 and 4 x 4 positions.</summary>
    public static ClipArchitecture Architecture { get; } = SmallModel.Architecture with
    {
        PatchSize = 2,
        VisionWidth = 8,
        VisionHeads = 2,
        VisionLayers = 4,
        Swin = new SwinStages(2, 2) { WindowSize = 4 },
    };

    /// <summary>The same with stochastic depth.</summary>
    public static ClipArchitecture WithDepth(double rate) =>
        Architecture with { Swin = Architecture.Swin! with { StochasticDepth = rate } };

    /// <summary>A model whose vision tower has the reference's weights.</summary>
    public static ClipModel Load(string name)
    {
        var model = Create(Golden(name));
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        foreach (var (weight, value) in model.Weights.Where(w => w.Key.StartsWith("visual.", StringComparison.Ordinal)))
            value.copy_(Tensor($"{name}.{weight["visual.".Length..]}", value.shape));
        return model;
    }

    /// <summary>A model with initial values.</summary>
    public static ClipModel Create(ClipArchitecture architecture, ulong seed = 1) =>
        ClipModel.Create(new ClipModelShape(architecture, SmallModel.Tokenizer.VocabularySize, 2, 1, 0), CPU, seed);

    /// <summary>The tensor that has this name in the reference.</summary>
    public static Tensor Tensor(string name, params long[] shape)
    {
        var uniform = NamedNumbers.Uniform(name, shape.Aggregate(1L, (a, b) => a * b));
        var fanIn = shape.Skip(1).Aggregate(1L, (a, b) => a * b);
        return tensor(Array.ConvertAll(uniform, u => (float)(name switch
        {
            _ when name.EndsWith(".images", StringComparison.Ordinal) || name.EndsWith(".cotangent", StringComparison.Ordinal) => u * 4,
            _ when name.EndsWith("_bias_table", StringComparison.Ordinal) => u * 2,
            _ when shape.Length == 1 => name.EndsWith("weight", StringComparison.Ordinal) ? 1 + u * 0.4 : u,
            _ => u * Math.Sqrt(12.0 / fanIn),
        })), shape);
    }

    /// <summary>What the golden file holds of a gradient: every k-th value, at most 64, and a scalar product with named numbers.</summary>
    public static float[] Digest(string name, Tensor gradient)
    {
        var values = gradient.contiguous().data<float>().ToArray();
        var step = (values.Length + 63) / 64;
        var check = NamedNumbers.Uniform($"{name}.check", values.Length).Zip(values, (u, v) => u * v).Sum();
        return [.. values.Where((_, i) => i % step == 0), (float)check];
    }
}
