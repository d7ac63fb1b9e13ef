using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class RanksTests
{
    private static T[] Run<T>(int count, Func<Ranks, int, T> work)
    {
        var results = ThreadGroup.Run(count, group => work(new Ranks(group), group.Rank));
        foreach (var (_, fault) in results) Assert.IsNull(fault, fault?.ToString());
        return [.. results.Select(r => r.Result!)];
    }

    [TestMethod]
    [DataRow(8, 3)]
    [DataRow(2, 3)]
    [DataRow(0, 2)]
    public void PartOf_AllRanks_CoverTheRowsOnce(int rows, int ranks)
    {
        var next = 0;
        foreach (var (first, count) in Run(ranks, (r, _) => r.PartOf(rows)))
        {
            Assert.AreEqual(next, first);
            next += count;
        }
        Assert.AreEqual(rows, next);
    }

    [TestMethod]
    public void Exchange_Texts_AreInTheOrderOfTheRanks()
    {
        foreach (var all in Run(3, (ranks, rank) => ranks.Exchange(rank == 1 ? "" : $"rank {rank}, größer")))
            DataTestRows.Equal<string>(["rank 0, größer", "", "rank 2, größer"], all);
    }

    [TestMethod]
    public void FromFirst_Values_AreThoseOfRank0()
    {
        foreach (var all in Run(2, (ranks, rank) => (ranks.FromFirst((1.5 + rank, (int?)null)), ranks.FromFirst<double?>(null))))
            Assert.AreEqual(((1.5, (int?)null), (double?)null), all);
    }

    [TestMethod]
    [DataRow(5)]
    [DataRow(2)]
    public void Gather_UnevenParts_GivesAllRows(int rows)
    {
        foreach (var all in Run(3, (ranks, _) =>
        {
            using var scope = NewDisposeScope();
            var (first, count) = ranks.PartOf(rows);
            var own = arange(rows * 2, ScalarType.Float32).view(rows, 2).narrow(0, first, count);
            return ranks.Gather(own, rows).data<float>().ToArray();
        }))
            CollectionAssert.AreEqual(Enumerable.Range(0, rows * 2).Select(i => (float)i).ToArray(), all);
    }

    [TestMethod]
    public void Sum_MoreThanOnePiece_AddsEveryValue()
    {
        const int Length = (1 << 21) + 3;
        foreach (var sums in Run(2, (ranks, rank) =>
        {
            var values = new float[Length];
            Array.Fill(values, 1 + rank);
            ranks.Sum(values);
            return values;
        }))
            Assert.AreEqual(Length, sums.Count(s => s == 3));
    }

    [TestMethod]
    public void Broadcast_Tensor_IsThatOfRank0()
    {
        foreach (var values in Run(2, (ranks, rank) =>
        {
            using var scope = NewDisposeScope();
            var weight = full([2, 3], 1f + rank).requires_grad_(true);
            ranks.Broadcast(weight);
            return weight.detach().data<float>().ToArray();
        }))
            CollectionAssert.AreEqual(Enumerable.Repeat(1f, 6).ToArray(), values);
    }

    [TestMethod]
    public void Tell_Fault_IsThrownOnceOnTheOthers()
    {
        var results = ThreadGroup.Run(3, group =>
        {
            var ranks = new Ranks(group);
            try
            {
                if (group.Rank == 1) throw new InvalidDataException("bad row");
                ranks.Check();
            }
            catch (Exception e)
            {
                ranks.Tell(e);
                ranks.Tell(e);
                throw;
            }
            return true;
        });
        foreach (var (rank, (_, fault)) in results.Index())
            Assert.AreEqual(rank == 1 ? "bad row" : "Rank 1: bad row", ((InvalidDataException)fault!).Message);
    }

    [TestMethod]
    public void Compare_LongValues_AreNotShown()
    {
        var results = ThreadGroup.Run(2, group =>
        {
            new Ranks(group).Compare("Differ", new Dictionary<string, string>
            {
                ["a"] = "same", ["b"] = new string((char)('x' + group.Rank), 50), ["c"] = $"{group.Rank}",
            });
            return true;
        });
        foreach (var (_, fault) in results)
            Assert.AreEqual("Differ: b (rank 0 and rank 1), c (0 on rank 0, 1 on rank 1).", ((InvalidOperationException)fault!).Message);
    }
}
