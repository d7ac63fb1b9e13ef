namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class BatchLoaderTests
{
    private static BatchLoader Create(DrawnData data, int first, int last, CancellationToken cancellation = default)
    {
        var options = DrawnData.Options;
        var rows = data.Tagged(options);
        var sampler = new BatchSampler(rows.DatasetTypes, [.. Enumerable.Range(0, rows.Count)], BatchComposition.PerDatasetType, null, 8,
            1);
        var texts = new TrainingTexts(rows, SmallModel.Tokenizer, 16, PromptTemplates.Default, 1);
        return new BatchLoader(sampler, new TrainingImages(rows, TestSetup.Of(options), 1), texts, rows, first, last, cancellation);
    }

    private static List<TrainingBatch> All(BatchLoader loader, int count)
    {
        var batches = new List<TrainingBatch>();
        for (var i = 0; i < count; i++)
        {
            var batch = loader.Next();
            batches.Add(batch with { Pixels = [.. batch.Pixels] });   // the buffer is used again
            loader.Release(batch);
        }
        return batches;
    }

    [TestMethod]
    [Timeout(60_000)]
    public void Next_FromALaterStep_GivesTheBatchesOfTheWholeRun()
    {
        using var data = new DrawnData();
        using var whole = Create(data, 0, 10);
        using var later = Create(data, 6, 10);
        foreach (var (expected, actual) in All(whole, 10).Skip(6).Zip(All(later, 4)))
        {
            CollectionAssert.AreEqual(expected.Rows, actual.Rows);
            CollectionAssert.AreEqual(expected.Pixels, actual.Pixels);
            CollectionAssert.AreEqual(expected.Labels, actual.Labels);
            CollectionAssert.AreEqual(expected.Texts.Tokens.Ids, actual.Texts.Tokens.Ids);
        }
    }

    [TestMethod]
    [Timeout(60_000)]
    public void Next_Labels_AreClassesOrUnique()
    {
        using var data = new DrawnData();
        var rows = data.Tagged();
        using var loader = Create(data, 0, 20);
        foreach (var batch in All(loader, 20))
            for (var i = 0; i < 8; i++)
                if (rows.Labels[batch.Rows[i]] >= 0) Assert.AreEqual(rows.Labels[batch.Rows[i]], batch.Labels[i]);
                else Assert.ContainsSingle(l => l == batch.Labels[i], batch.Labels);
    }

    [TestMethod]
    [Timeout(60_000)]
    public void Next_AfterTheLastStep_SaysSo()
    {
        using var data = new DrawnData();
        using var loader = Create(data, 0, 2);
        All(loader, 2);
        Assert.AreEqual("The run has no further batch.", Assert.ThrowsExactly<InvalidOperationException>(loader.Next).Message);
    }

    [TestMethod]
    [Timeout(60_000)]
    public void Next_FaultInTheBackground_ReachesTheCaller()
    {
        using var data = new DrawnData();
        data.Break([.. Enumerable.Range(0, 32)]);
        using var loader = Create(data, 0, 2);
        StringAssert.StartsWith(Assert.ThrowsExactly<InvalidDataException>(loader.Next).Message, "Row ");
    }

    [TestMethod]
    [Timeout(60_000)]
    public void Next_Cancelled_Throws()
    {
        using var data = new DrawnData();
        using var cancellation = new CancellationTokenSource();
        using var loader = Create(data, 0, 1000, cancellation.Token);
        All(loader, 1);
        cancellation.Cancel();
        try
        {
            All(loader, 5);   // what was ready before may still come
            Assert.Fail("expected a cancellation");
        }
        catch (OperationCanceledException)
        {
        }
    }

    [TestMethod]
    [Timeout(60_000)]
    public void Dispose_AtAnyMoment_Returns()
    {
        using var data = new DrawnData();
        for (var taken = 0; taken < 4; taken++)
        {
            var loader = Create(data, 0, 1000);
            All(loader, taken);
            loader.Dispose();
        }
        data.Break([.. Enumerable.Range(0, 32)]);
        Create(data, 0, 1000).Dispose();   // with a fault that nobody fetched
    }
}
