namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ParallelLoopTests
{
    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(1000)]
    public void Run_AnyCount_CallsEveryIndexOnce(int count)
    {
        var calls = new int[count];
        ParallelLoop.Run(count, i => Interlocked.Increment(ref calls[i]));
        Assert.IsTrue(calls.All(c => c == 1));
    }

    [TestMethod]
    public void Run_BodyFails_ThrowsTheFaultAndLeavesTheRestOut()
    {
        var calls = 0;
        var error = Assert.ThrowsExactly<IOException>(() => ParallelLoop.Run(100_000, i =>
        {
            Interlocked.Increment(ref calls);
            if (i == 10) throw new IOException("The tenth.");
        }));
        Assert.AreEqual("The tenth.", error.Message);
        Assert.IsLessThan(100_000, calls);
    }

    [TestMethod]
    public void Run_Cancelled_Stops()
    {
        using var stop = new CancellationTokenSource();
        var calls = 0;
        Assert.ThrowsExactly<OperationCanceledException>(() => ParallelLoop.Run(100_000, i =>
        {
            if (Interlocked.Increment(ref calls) == 5) stop.Cancel();
        }, stop.Token));
        Assert.IsLessThan(100_000, calls);
    }

    [TestMethod]
    public void Run_InsideItself_Ends()
    {
        var sum = 0;
        ParallelLoop.Run(20, _ => ParallelLoop.Run(20, _ => Interlocked.Increment(ref sum)));
        Assert.AreEqual(400, sum);
    }
}
