namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class SeededRandomTests
{
    [TestMethod]
    public void NextUInt64_SeedZero_GivesSplitMix64sNumbers()
    {
        // The first numbers of SplitMix64 from state 0, as its published test vectors list them.
        var random = new SeededRandom(0);
        Assert.AreEqual(0xE220A8397B1DCDAFUL, random.NextUInt64());
        Assert.AreEqual(0x6E789E6AA1B965F4UL, random.NextUInt64());
        Assert.AreEqual(0x06C45D188009454FUL, random.NextUInt64());
    }

    [TestMethod]
    public void Derive_DifferentPurposeOrIndex_GivesDifferentNumbers()
    {
        var firsts = new HashSet<ulong>();
        var count = 0;
        void Add(SeededRandom random)
        {
            firsts.Add(random.NextUInt64());
            count++;
        }
        for (ulong seed = 0; seed < 4; seed++)
            for (ulong purpose = 0; purpose < 4; purpose++)
            {
                Add(SeededRandom.Derive(seed, purpose));
                for (ulong first = 0; first < 10; first++)
                {
                    Add(SeededRandom.Derive(seed, purpose, first));
                    for (ulong second = 0; second < 10; second++) Add(SeededRandom.Derive(seed, purpose, first, second));
                }
            }
        Assert.HasCount(count, firsts);
    }

    [TestMethod]
    public void Derive_SameParts_GivesTheSameNumbersInEveryProcess()
    {
        var random = SeededRandom.Derive(42, 7, 3, 1);
        var again = SeededRandom.Derive(42, 7, 3, 1);
        Assert.AreEqual(random.NextUInt64(), again.NextUInt64());
        Assert.AreEqual(15595098006971769352UL, SeededRandom.Derive(42, 7, 3, 1).NextUInt64(),
            "A trained model must not change with the process or the version.");
    }

    [TestMethod]
    public void NextDouble_ManyTimes_IsUniform()
    {
        var random = new SeededRandom(3);
        var values = Enumerable.Range(0, 10_000).Select(_ => random.NextDouble()).ToArray();
        Assert.IsTrue(values.All(v => v is >= 0 and < 1));
        Assert.AreEqual(0.5, values.Average(), 0.015);
        Assert.AreEqual(1 / 12.0, values.Average(v => (v - 0.5) * (v - 0.5)), 0.003);
    }

    [TestMethod]
    public void NextInt32_ManyTimes_AllValuesAreEquallyLikely()
    {
        var random = new SeededRandom(4);
        var counts = new int[7];
        for (var i = 0; i < 7000; i++) counts[random.NextInt32(7)]++;
        foreach (var count in counts) Assert.AreEqual(1000, count, 150);
    }

    [TestMethod]
    public void NextInt32_LargestRange_StaysInside()
    {
        var random = new SeededRandom(5);
        for (var i = 0; i < 1000; i++) Assert.IsTrue(random.NextInt32(int.MaxValue) is >= 0 and < int.MaxValue);
        Assert.AreEqual(0, random.NextInt32(1));
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(-5)]
    public void NextInt32_NoRange_Throws(int max) =>
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new SeededRandom(1).NextInt32(max));

    [TestMethod]
    public void Shuffle_Items_KeepsThemAndReachesEveryOrder()
    {
        var random = new SeededRandom(6);
        var orders = new Dictionary<string, int>();
        for (var i = 0; i < 2400; i++)
        {
            var items = "abcd".ToCharArray();
            random.Shuffle<char>(items);
            var order = new string(items);
            orders[order] = orders.GetValueOrDefault(order) + 1;
        }
        Assert.HasCount(24, orders);
        Assert.IsTrue(orders.Keys.All(o => new string([.. o.Order()]) == "abcd"));
        Assert.IsTrue(orders.Values.All(n => n is > 50 and < 150), string.Join(' ', orders.Values));
    }
}
