using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Patches, norms and projections against libtorch in double precision, with every vector, on any processor.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class InferenceKernelsTests
{
    private const double Tolerance = 1e-5;   // sums of up to 192 products near 1

    [TestMethod]
    [DataRow(1, 8, 8, 5)]
    [DataRow(3, 16, 4, 33)]
    [DataRow(2, 12, 3, 16)]
    [DataRow(5, 8, 1, 7)]
    public void Embed_EveryVector_IsTheConvolutionBehindTheClassToken(int images, int size, int patch, int width)
    {
        using var scope = NewDisposeScope();
        var tokens = 1 + size / patch * (size / patch);
        Tensor x = Drawn(1, images, 3, size, size), weight = Drawn(2, width, 3, patch, patch), token = Drawn(3, width),
            positions = Drawn(4, tokens, width);
        foreach (var products in Precisions)
        {
            Tensor pixels = products.Added(x).@double(), filters = products.Added(weight).@double();
            var columns = F.conv2d(pixels, filters, strides: [patch, patch]).flatten(2).transpose(1, 2);
            var expected = cat([token.@double().expand(images, 1, -1), columns], 1) + positions.@double();
            foreach (var kernels in Kernels)
            {
                using var patches = new FusedWeight(weight, !products.IsSingle);
                TinyGolden.AreClose(expected, kernels.Embed(x, patches, token, positions).@double(), Tolerance, $"{kernels}, {products}");
            }
        }
    }

    [TestMethod]
    [DataRow(ScalarType.Float32, 1e-5f)]
    [DataRow(ScalarType.BFloat16, 0.01f)]   // trained patches go through libtorch, which rounds the result once more
    public void EncodeImages_PatchesAreTrainedInBetween_UsesTheNewOnes(ScalarType products, float tolerance)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = SmallModel.Create(products: products);
        var weights = model.Weights.ToDictionary(w => w.Key, w => w.Value);
        void Train(bool isTrained)
        {
            foreach (var weight in weights.Values) weight.requires_grad = isTrained;
        }
        float[] Embeddings() => [.. model.EncodeImages(SmallModel.Images(2), [0, 1]).data<float>()];
        Train(false);
        var before = Embeddings();
        Train(true);
        weights["visual.conv1.weight"].mul_(weights["visual.conv1.weight"].abs());
        var trained = Embeddings();
        Train(false);
        var after = Embeddings();
        CollectionAssert.AreNotEqual(before, trained);
        for (var i = 0; i < after.Length; i++) Assert.AreEqual(trained[i], after[i], tolerance);
    }

    [TestMethod]
    [DataRow(1, 5, 3)]
    [DataRow(4, 33, 17)]
    [DataRow(3, 64, 64)]
    public void NormalizeAndProject_EveryVector_AreLibtorchs(int rows, int width, int outputs)
    {
        using var scope = NewDisposeScope();
        Tensor x = Drawn(5, rows, width), gain = Drawn(6, width), bias = Drawn(7, width), projection = Drawn(8, width, outputs);
        var normalized = F.layer_norm(x.@double(), [width], gain.@double(), bias.@double(), 1e-5);
        foreach (var kernels in Kernels)
        {
            var own = kernels.Normalize(x, gain, bias);
            TinyGolden.AreClose(normalized, own.@double(), Tolerance, $"{kernels}");
            foreach (var products in Precisions)
                TinyGolden.AreClose(products.Added(own).@double().matmul(products.Added(projection).@double()),
                    kernels.Project(x, gain, bias, projection, !products.IsSingle).@double(), Tolerance, $"{kernels}, {products}");
        }
    }

    [TestMethod]
    [DataRow("visual.proj")]
    [DataRow("visual.conv1.weight")]
    [DataRow("visual.ln_post.weight")]
    [DataRow("text_projection")]
    [DataRow("ln_final.weight")]
    public void EncodeImages_OnePartIsTrained_AreTheSameBitsWithGradientsAndWithout(string trained)
    {
        using var scope = NewDisposeScope();
        using var model = SmallModel.Create();
        foreach (var (name, weight) in model.Weights) weight.requires_grad = name == trained;
        Tensor[] Embeddings() =>
            [model.EncodeImages(SmallModel.Images(3), [0, 0, 1]), model.EncodeTexts(OnnxModels.Tokens(3), [0, 0, 1])];
        var expected = Embeddings();
        using var noGrad = no_grad();
        var own = trained.StartsWith("visual", StringComparison.Ordinal) ? 0 : 1;   // the other tower is frozen
        Assert.IsTrue(expected[own].requires_grad);
        CollectionAssert.AreEqual(expected[own].detach().data<float>().ToArray(), Embeddings()[own].data<float>().ToArray());
    }

    /// <summary>Those that the kernels compute on this processor.</summary>
    private static IEnumerable<Products> Precisions =>
        new[] { ScalarType.Float32, ScalarType.BFloat16 }.Take(TorchTile.IsThere ? 2 : 1).Select(type => new Products(type));

    private static InferenceKernels[] Kernels => [new InferenceKernels<Lanes256>(), new InferenceKernels<Lanes512>()];

    private static Tensor Drawn(int seed, params long[] shape)
    {
        using var generator = new Generator((ulong)seed, CPU);
        return randn(shape, generator: generator);
    }
}
