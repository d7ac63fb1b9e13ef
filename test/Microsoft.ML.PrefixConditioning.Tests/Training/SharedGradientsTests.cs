using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Sums of gradients over ranks, which begin while later gradients are computed.</summary>
[TestClass]
public sealed class SharedGradientsTests
{
    // Two pieces of 4 MB in the last three blocks of the vision tower.
    private static readonly ClipModelShape Shape = new(SmallModel.Architecture with
    {
        VisionWidth = 256,
        VisionHeads = 4,
        VisionLayers = 4,
    }, SmallModel.Tokenizer.VocabularySize, 2, 1, 0);

    private static readonly long[] Tokens = [7, 2, 7, 0, 31];

    [TestMethod]
    public void Complete_LastBlocks_AreSummedBeforeTheOthersAreComplete()
    {
        var results = OnRanks(2, (group, model, gradients) =>
        {
            FusedWeight.GradientOf(model.Text.TokenTable);
            Fill(model, layer => layer >= 2, group.Rank + 1);
            gradients.Complete(TrainableParts.Vision, layer: 2);
            var early = model.Weights.First(w => w.Key == "visual.transformer.resblocks.3.attn.in_proj_weight").Value.grad!;
            var isEarly = SpinWait.SpinUntil(() => First(early) == 3, TimeSpan.FromSeconds(20));
            Fill(model, layer => layer < 2, group.Rank + 1);
            var loss = gradients.Sum(group.Rank + 0.5);
            return (isEarly, loss, model.Weights.All(w => w.Key == TextTower.TokenTableName || w.Value.grad!.eq(3).all().ToBoolean()));
        });
        foreach (var (isEarly, loss, all) in results)
        {
            Assert.IsTrue(isEarly, "Nothing was summed before the last gradient was complete.");
            Assert.AreEqual(0.5, loss, "The loss is not rank 0's.");
            Assert.IsTrue(all, "A sum is wrong.");
        }
    }

    [TestMethod]
    public void Sum_TokenTable_RowsOfTheBatchAreSummed_AlsoWhereARankHasNoGradient()
    {
        var results = OnRanks(3, (group, model, gradients) =>
        {
            using var noGrad = no_grad();
            if (group.Rank > 0)
                foreach (var token in Tokens) FusedWeight.GradientOf(model.Text.TokenTable)[token] = tensor((float)(group.Rank + token));
            gradients.Sum(0);
            return model.Text.TokenTable.grad!.sum([1]).data<float>().ToArray();
        });
        foreach (var sums in results)
            for (var token = 0; token < sums.Length; token++)
                Assert.AreEqual(Tokens.Contains(token) ? (3 + 2 * token) * Shape.Architecture.TextWidth : 0, sums[token]);
    }

    /// <summary>Does the same with a model on every rank; fails where a rank fails.</summary>
    private static T[] OnRanks<T>(int count, Func<ProcessGroup, ClipModel, SharedGradients, T> work)
    {
        var results = ThreadGroup.Run(count, group =>
        {
            using var model = ClipModel.Create(Shape, CPU, 1);
            using var gradients = new SharedGradients(model, new Ranks(group));
            gradients.Attach(Tokens);
            return work(group, model, gradients);
        });
        foreach (var (_, fault) in results) Assert.IsNull(fault, fault?.ToString());
        return [.. results.Select(r => r.Result!)];
    }

    private static void Fill(ClipModel model, Func<int, bool> layers, float value)
    {
        using var noGrad = no_grad();
        foreach (var (name, weight) in model.Weights)
            if (layers(model.PlaceOf(name) is { Part: TrainableParts.Vision, Layer: var layer and <= 4 } ? layer : 0))
                weight.grad!.fill_(value);
    }

    private static float First(Tensor values) => values.flatten()[0].ToSingle();
}
