namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Tests that score with a model of their own each.</summary>
public abstract class ScoringTests
{
    private protected readonly MLContext _mlContext = new(seed: 1);
    private protected PrefixClipTransformer _model = null!;

    [TestInitialize]
    public void MakeModel() => _model = ScoringModel.Transformer();

    [TestCleanup]
    public void DisposeModel() => _model.Dispose();
}
