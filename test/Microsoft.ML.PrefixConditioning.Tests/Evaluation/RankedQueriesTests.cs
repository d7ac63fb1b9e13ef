namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Recall and average precision of rankings.</summary>
[TestClass]
public sealed class RankedQueriesTests
{
    private const double Rounding = 1e-9;

    private static readonly int[] Places = [1, 5, 10];

    [TestMethod]
    [DataRow(5_000, 300, 5)]   // several blocks of items and of queries
    [DataRow(7, 9, 1)]
    [DataRow(20, 3, 20)]       // every item belongs to every query
    public void Measure_RandomVectors_EqualsSortingAllPairs(int itemCount, int queryCount, int own)
    {
        var (items, queries) = (EmbeddedRow.Random(itemCount), EmbeddedRow.Random(queryCount, seed: 2));
        int[][] relevant = [.. Enumerable.Range(0, queryCount).Select(q => Enumerable.Range(0, own).Select(i =>
            (q * 31 + i * 7) % itemCount).Distinct().ToArray())];
        // Queries lean to their first item, so that recall is not near 0.
        for (var q = 0; q < queryCount; q++)
            for (var d = 0; d < EmbeddedRow.Size; d++) queries[q][d] += 2 * items[relevant[q][0]][d];

        var measured = new RankedQueries(Rows(queries), Rows(items), relevant).Measure();

        var rankings = queries.Select((query, q) => Enumerable.Range(0, itemCount)
            .OrderByDescending(i => EmbeddedRow.Cosine(query, items[i])).Select(i => relevant[q].Contains(i)).ToArray()).ToArray();
        var recalls = Places.Select(k => rankings.Average(r => r.Take(k).Contains(true) ? 1.0 : 0)).ToArray();
        Assert.IsGreaterThan(0.2, recalls[0]);
        // Two scores that single precision cannot tell apart may change one place.
        var tolerance = 1.0 / queryCount / 2;
        Assert.AreEqual(recalls[0], measured.RecallAt1, tolerance);
        Assert.AreEqual(recalls[1], measured.RecallAt5, tolerance);
        Assert.AreEqual(recalls[2], measured.RecallAt10, tolerance);
        Assert.AreEqual(rankings.Average(AveragePrecision), measured.MeanAveragePrecision, 1e-3);
    }

    [TestMethod]
    [DataRow(12, 1)]
    [DataRow(12, 3)]
    [DataRow(5_000, 2)]
    public void Measure_OneScoreForAll_GivesChance(int itemCount, int own)
    {
        var vector = EmbeddedRow.Random(1)[0];
        int[][] relevant = [[.. Enumerable.Range(itemCount - own, own)]];

        var measured = new RankedQueries(Rows([vector]), Rows([.. Enumerable.Repeat(vector, itemCount)]), relevant).Measure();

        Assert.AreEqual((double)own / itemCount, measured.RecallAt1, Rounding);
        var none = Enumerable.Range(0, 5).Aggregate(1.0, (p, i) => p * (itemCount - own - i) / (itemCount - i));
        Assert.AreEqual(1 - none, measured.RecallAt5, Rounding);
        var harmonic = Enumerable.Range(1, itemCount).Sum(n => 1.0 / n);
        var expected = own == 1 ? harmonic / itemCount
            : Enumerable.Range(1, itemCount).Average(n => (1 + (n - 1.0) * (own - 1) / (itemCount - 1)) / n);
        Assert.AreEqual(expected, measured.MeanAveragePrecision, Rounding);
    }

    /// <summary>Seven items, whose levels of score are digits, and which of them belong to the query.</summary>
    [TestMethod]
    [DataRow("9988877", "0100000")]
    [DataRow("9988877", "1010010")]
    [DataRow("9999999", "1110000")]
    [DataRow("9999999", "1111111")]
    [DataRow("9876543", "0010010")]
    [DataRow("8888886", "0000001")]
    [DataRow("9888888", "0101011")]
    public void Measure_Ties_EqualsTheMeanOverAllTheirOrders(string levels, string belongs)
    {
        float[][] items = [.. levels.Select(l => (float[])[l - '0', 10 - (l - '0')])];
        int[] relevant = [.. Enumerable.Range(0, 7).Where(i => belongs[i] == '1')];

        var measured = new RankedQueries(Rows([[1, 0]]), Rows(items), [relevant]).Measure();

        var rankings = Orders([.. Enumerable.Range(0, 7)])
            .Where(order => Enumerable.Range(0, 6).All(i => levels[order[i]] >= levels[order[i + 1]]))
            .Select(order => order.Select(i => relevant.Contains(i)).ToArray()).ToArray();
        Assert.AreEqual(rankings.Average(r => r[0] ? 1.0 : 0), measured.RecallAt1, Rounding);
        Assert.AreEqual(rankings.Average(r => r.Take(5).Contains(true) ? 1.0 : 0), measured.RecallAt5, Rounding);
        Assert.AreEqual(1, measured.RecallAt10, Rounding);
        Assert.AreEqual(rankings.Average(AveragePrecision), measured.MeanAveragePrecision, Rounding);
    }

    [TestMethod]
    public void Measure_Canceled_Throws() => Assert.ThrowsExactly<OperationCanceledException>(() =>
        new RankedQueries(Rows(EmbeddedRow.Random(2)), Rows(EmbeddedRow.Random(2)), [[0], [1]])
            .Measure(() => throw new OperationCanceledException()));

    private static EmbeddingRows Rows(float[][] vectors)
    {
        var rows = new EmbeddingRows(vectors[0].Length);
        foreach (var vector in vectors) Assert.IsTrue(rows.TryAdd(vector));
        return rows;
    }

    private static double AveragePrecision(bool[] ranking)
    {
        var (found, sum) = (0, 0.0);
        for (var i = 0; i < ranking.Length; i++)
            if (ranking[i]) sum += ++found / (i + 1.0);
        return sum / found;
    }

    private static IEnumerable<int[]> Orders(int[] items) => items.Length <= 1 ? [items]
        : items.SelectMany(first => Orders([.. items.Where(i => i != first)]).Select(rest => (int[])[first, .. rest]));
}
