namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class BatchSamplerTests
{
    /// <summary>Rows 0 to first - 1 are of type 0, the others of type 1, all with their own image.</summary>
    private static BatchSampler Create(
        int first, int second, int batchSize, ulong seed = 1, BatchComposition composition = BatchComposition.PerDatasetType,
            double[]? weights = null) =>
        new([.. Enumerable.Range(0, first + second).Select(r => (byte)(r < first ? 0 : 1))], [.. Enumerable.Range(0, first + second)],
            composition, weights, batchSize, seed);

    private static int[][] Batches(BatchSampler sampler, int count, int from = 0) => [.. sampler.Batches(from).Take(count)];

    [TestMethod]
    public void Batches_PerDatasetType_HoldOneTypeOnly()
    {
        foreach (var batch in Batches(Create(40, 25, 8), 200))
        {
            Assert.HasCount(8, batch);
            Assert.HasCount(1, batch.Select(r => r < 40).Distinct().ToArray());
            Assert.HasCount(8, batch.Distinct().ToArray());
        }
    }

    [TestMethod]
    public void Batches_Mixed_HoldBothTypesInTheirProportion()
    {
        var batches = Batches(Create(300, 100, 20, composition: BatchComposition.Mixed), 400);
        Assert.IsGreaterThan(390, batches.Count(b => b.Any(r => r < 300) && b.Any(r => r >= 300)));
        Assert.AreEqual(0.75, batches.SelectMany(b => b).Average(r => r < 300 ? 1.0 : 0), 1e-9, "every pass of 20 batches uses all rows");
    }

    [TestMethod]
    [DataRow(new[] { 1.0, 1.0 }, 200, 200)]
    [DataRow(new[] { 1.0, 3.0 }, 100, 300)]
    [DataRow(new[] { 3.0, 1.0 }, 300, 100)]
    public void Batches_MixedWithWeights_HoldTheTypesByWeightAndTheRowsOfATypeAlike(double[] weights, int first, int second)
    {
        const int Passes = 12;
        var batches = Batches(Create(300, 100, 20, composition: BatchComposition.Mixed, weights: weights), Passes * 20);
        foreach (var pass in batches.Chunk(20)) Assert.AreEqual(first, pass.SelectMany(b => b).Count(r => r < 300));
        Assert.IsGreaterThan(batches.Length * 0.95, batches.Count(b => b.Any(r => r < 300) && b.Any(r => r >= 300)));
        var drawn = batches.SelectMany(b => b).CountBy(r => r).ToDictionary();
        foreach (var row in Enumerable.Range(0, 400))
            Assert.AreEqual(Passes * (row < 300 ? first / 300.0 : second / 100.0), drawn.GetValueOrDefault(row), 1, $"row {row}");
        foreach (var batch in batches) Assert.HasCount(20, batch.Distinct().ToArray(), "no row twice in a batch");
    }

    [TestMethod]
    public void Batches_MixedWithWeightsFromALaterStep_AreThoseOfTheWholeRun()
    {
        BatchSampler Sampler() => Create(43, 30, 8, composition: BatchComposition.Mixed, weights: [1, 4]);
        var (all, later) = (Batches(Sampler(), 60), Batches(Sampler(), 60 - 31, from: 31));
        for (var i = 0; i < later.Length; i++) CollectionAssert.AreEqual(all[31 + i], later[i], $"step {31 + i}");
    }

    [TestMethod]
    [DataRow(null, 0.75)]
    [DataRow(new[] { 1.0, 1.0 }, 0.5)]
    [DataRow(new[] { 0.2, 1.8 }, 0.1)]
    public void Batches_ManySteps_FollowRowCountsOrWeights(double[]? weights, double expected)
    {
        var share = Batches(Create(300, 100, 10, weights: weights), 4000).Average(b => b[0] < 300 ? 1.0 : 0);
        Assert.AreEqual(expected, share, 4 * Math.Sqrt(expected * (1 - expected) / 4000));   // four standard errors
    }

    [TestMethod]
    public void Batches_EachPass_UsesARowAtMostOnce()
    {
        var first = Batches(Create(43, 30, 8), 300).Where(b => b[0] < 43).ToArray();
        foreach (var pass in first.Chunk(5))
        {
            var rows = pass.SelectMany(b => b).ToArray();
            Assert.HasCount(rows.Length, rows.Distinct().ToArray());
        }
        Assert.HasCount(43, first.SelectMany(b => b).Distinct().ToArray(), "rows that one pass leaves over come in others");
    }

    [TestMethod]
    public void Batches_FromALaterStep_AreThoseOfTheWholeRun()
    {
        var all = Batches(Create(43, 30, 8), 80);
        foreach (var from in new[] { 1, 7, 33 })
        {
            var later = Batches(Create(43, 30, 8), 80 - from, from);
            for (var i = 0; i < later.Length; i++) CollectionAssert.AreEqual(all[from + i], later[i], $"step {from + i}");
        }
    }

    [TestMethod]
    [DataRow(BatchComposition.PerDatasetType)]
    [DataRow(BatchComposition.Mixed)]
    public void Batches_Seed_DecidesTheOrder(BatchComposition composition)
    {
        static int[] Rows(BatchSampler sampler) => [.. Batches(sampler, 20).SelectMany(b => b)];
        CollectionAssert.AreEqual(Rows(Create(40, 40, 8, 5, composition)), Rows(Create(40, 40, 8, 5, composition)));
        CollectionAssert.AreNotEqual(Rows(Create(40, 40, 8, 5, composition)), Rows(Create(40, 40, 8, 6, composition)));
    }

    [TestMethod]
    public void Batches_ShufflesEachPassAnew()
    {
        var batches = Batches(Create(40, 0, 8), 10);
        CollectionAssert.AreNotEqual(batches[..5].SelectMany(b => b).ToArray(), batches[5..].SelectMany(b => b).ToArray());
    }

    /// <summary>300 rows of type 0 and 100 of type 1; in each, the first 60 weigh 4 and the others 1.</summary>
    private static BatchSampler Weighted(BatchComposition composition) => new(
        [.. Enumerable.Range(0, 400).Select(r => (byte)(r < 300 ? 0 : 1))], [.. Enumerable.Range(0, 400)], composition, null, 20, 1,
        new RowWeights([.. Enumerable.Range(0, 400).Select(r => (byte)(r % 300 < 60 ? 0 : 1))], [4, 1]));

    [TestMethod]
    [DataRow(BatchComposition.PerDatasetType)]
    [DataRow(BatchComposition.Mixed)]
    public void Batches_RowWeights_DecideHowOftenRowsOfATypeAreDrawn(BatchComposition composition)
    {
        var mixed = composition == BatchComposition.Mixed;
        foreach (var (first, count) in mixed ? [(0, 400)] : new[] { (0, 300), (300, 100) })
        {
            const int Passes = 6;
            var batches = Weighted(composition).Batches(0).Where(b => b[0] >= first && (mixed || b[0] < first + count))
                .Take(Passes * count / 20).ToArray();
            var drawn = batches.SelectMany(b => b).CountBy(r => r).ToDictionary();
            foreach (var row in Enumerable.Range(first, count))
            {
                var (size, weight) = (row < 300 ? 300 : 100, row % 300 < 60 ? 4 : 1);
                Assert.AreEqual(Passes * size * weight / (60.0 * 4 + size - 60), drawn.GetValueOrDefault(row), 1, $"row {row}");
            }
            foreach (var batch in batches) Assert.HasCount(20, batch.Distinct().ToArray(), "no row twice in a batch");
        }
    }

    [TestMethod]
    [DataRow(BatchComposition.PerDatasetType)]
    [DataRow(BatchComposition.Mixed)]
    public void Batches_RowWeightsFromALaterStep_AreThoseOfTheWholeRun(BatchComposition composition)
    {
        var (all, later) = (Batches(Weighted(composition), 90), Batches(Weighted(composition), 90 - 47, from: 47));
        for (var i = 0; i < later.Length; i++) CollectionAssert.AreEqual(all[47 + i], later[i], $"step {47 + i}");
    }

    [TestMethod]
    public void Batches_TinyWeight_DrawsTheRowNowAndThen()
    {
        var sampler = new BatchSampler(new byte[40], [.. Enumerable.Range(0, 40)], BatchComposition.Mixed, null, 8, 1,
            new RowWeights([.. Enumerable.Range(0, 40).Select(r => (byte)(r == 7 ? 1 : 0))], [1, 1e-9f]));
        Assert.AreEqual(3, Batches(sampler, 15).Sum(b => b.Count(r => r == 7)), "once a pass");
    }

    [TestMethod]
    [DataRow(50, 2, 10)]
    [DataRow(20, 5, 10)]
    [DataRow(10, 10, 10)]
    [DataRow(7, 3, 5)]
    [DataRow(12, 8, 12)]
    public void Batches_SeveralCaptionsPerImage_NoImageTwiceWhereAvoidable(int images, int captions, int batchSize)
    {
        for (var seed = 0UL; seed < 50; seed++)
        {
            var sampler = new BatchSampler(new byte[images * captions],
                [.. Enumerable.Range(0, images * captions).Select(r => r / captions)],
                BatchComposition.PerDatasetType, null, batchSize, seed);
            foreach (var batch in sampler.Batches(0).Take(3 * sampler.StepsPerEpoch))
                Assert.HasCount(batchSize, batch.Select(r => r / captions).Distinct().ToArray(), $"seed {seed}");
        }
    }

    [TestMethod]
    public void Batches_TooFewImages_StillGivesEveryRowOnce()
    {
        var sampler = new BatchSampler(new byte[40], [.. Enumerable.Range(0, 40).Select(r => r % 3)], BatchComposition.Mixed, null, 10, 1);
        DataTestRows.Equal([.. Enumerable.Range(0, 40)], Batches(sampler, 4).SelectMany(b => b).Order());
    }

    [TestMethod]
    [DataRow(2_000, 600, 1, 16)]      // one image in 30 % of the rows
    [DataRow(4_000, 4_000, 12, 16)]   // fewer images than a batch has rows
    [DataRow(1_000, 300, 40, 16)]
    [DataRow(500, 500, 20, 16)]
    [DataRow(500, 490, 17, 16)]
    [DataRow(101, 60, 7, 9)]
    [DataRow(37, 30, 3, 12)]
    [DataRow(20, 20, 1, 6)]
    public void Batches_ManyRowsOfFewImages_HoldAsFewRepeatsAsPossibleSpreadEvenly(int rows, int shared, int images, int batchSize)
    {
        int[] imageOfRow = [.. Enumerable.Range(0, rows).Select(r => r < shared ? r % images : r)];
        var batches = rows / batchSize;
        var fewest = Math.Max(0, batches * batchSize - imageOfRow.CountBy(i => i).Sum(i => Math.Min(i.Value, batches)));
        for (var seed = 0UL; seed < 10; seed++)
        {
            var sampler = new BatchSampler(new byte[rows], imageOfRow, BatchComposition.Mixed, null, batchSize, seed);
            foreach (var pass in Batches(sampler, 2 * batches).Chunk(batches))
            {
                Assert.HasCount(batches * batchSize, pass.SelectMany(b => b).Distinct().ToArray(), "a row twice");
                var repeats = pass.Select(b => batchSize - b.Select(r => imageOfRow[r]).Distinct().Count()).ToArray();
                Assert.AreEqual(fewest, repeats.Sum(), $"seed {seed}");
                Assert.IsLessThanOrEqualTo((double)fewest / batches + 1, repeats.Max(), $"seed {seed}");
            }
        }
    }

    [TestMethod]
    public void Batches_RandomImages_HoldAsFewRepeatsAsPossible()
    {
        var random = new Random(5);
        for (var trial = 0; trial < 500; trial++)
        {
            var (rows, batchSize) = (random.Next(4, 60), random.Next(2, 12));
            if (rows < batchSize) continue;
            int[] imageOfRow = [.. Enumerable.Range(0, rows).Select(_ => random.Next(1, 20) * random.Next(0, 3) - 5)];
            var batches = rows / batchSize;
            var fewest = Math.Max(0, batches * batchSize - imageOfRow.CountBy(i => i).Sum(i => Math.Min(i.Value, batches)));
            var drawn = Batches(new(new byte[rows], imageOfRow, BatchComposition.Mixed, null, batchSize, (ulong)trial), batches);
            Assert.HasCount(batches * batchSize, drawn.SelectMany(b => b).Distinct().ToArray(), $"trial {trial}");
            Assert.AreEqual(fewest, drawn.Sum(b => batchSize - b.Select(r => imageOfRow[r]).Distinct().Count()), $"trial {trial}");
        }
    }

    [TestMethod]
    public void Batches_ImagesThatDoNotMeet_StayInTheShuffledOrder()
    {
        var sampler = (int[] images) => Batches(new(new byte[40], images, BatchComposition.Mixed, null, 8, 3), 5);
        var order = sampler([.. Enumerable.Range(0, 40)]);
        var images = Enumerable.Range(0, 40).ToArray();
        images[order[0][0]] = images[order[1][0]];
        foreach (var (expected, drawn) in order.Zip(sampler(images))) CollectionAssert.AreEqual(expected, drawn);
    }

    [TestMethod]
    public void Batches_Canceled_Stops()
    {
        var batches = Create(40, 0, 8).Batches(0, new CancellationToken(canceled: true));
        DataTestRows.Fails<OperationCanceledException>(() => Assert.IsNull(batches.First()));
    }

    [TestMethod]
    [DataRow(64, 32, 8, 12)]
    [DataRow(10, 9, 8, 2)]
    [DataRow(8, 0, 8, 1)]
    public void StepsPerEpoch_Rows_AreTheFullBatches(int first, int second, int batchSize, int expected) =>
        Assert.AreEqual(expected, Create(first, second, batchSize).StepsPerEpoch);
}
