namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Processes that are killed at any moment, and resumed, end with the weights of one that was not.</summary>
[TestClass]
[OSCondition(OperatingSystems.Linux | OperatingSystems.OSX)]
public sealed class KillTests
{
    private const int Epochs = 25, StepsPerEpoch = 4, MostKills = 5;
    private const ulong Purpose = 80;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Fit_KilledAtRandomMoments_EndsWithTheSameWeights(bool brokenImages)
    {
        using var data = new DrawnData();
        if (brokenImages) data.Break(1, 20, 21);
        var expected = Complete(data);
        var kills = 0;
        var runs = Soak.Repeat(1, round =>
        {
            Directory.Delete(data["run"], recursive: true);
            var random = SeededRandom.Derive((ulong)round, Purpose, brokenImages ? 1UL : 0);
            var killed = 0;
            while (killed < MostKills && !IsCompleteBefore(data, ref random)) killed++;
            kills += killed;
            CollectionAssert.AreEqual(expected, Complete(data), $"round {round}, {killed} kills");
        });
        TestContext.Say($"{kills} kills in {runs} runs, {(brokenImages ? "with" : "without")} broken images; all weights are bit-equal");
    }

    /// <summary>Kills a process before its first step or at any later moment; returns whether it was complete before that.</summary>
    private static bool IsCompleteBefore(DrawnData data, ref SeededRandom random)
    {
        var process = RunProcess.Start(data, Epochs);
        var wait = random.NextInt32(4) == 0 ? random.NextInt32(1000) : (int?)null;
        if (wait is null && !process.HasReached(1 + random.NextInt32(Epochs * StepsPerEpoch)))
        {
            TestProgram.Wait(process);
            return true;
        }
        Thread.Sleep(wait ?? random.NextInt32(20));
        RunProcess.End(process, "KILL");
        return false;
    }

    /// <summary>The weights of a run that is carried on to its end.</summary>
    private static byte[] Complete(DrawnData data)
    {
        TestProgram.Wait(RunProcess.Start(data, Epochs));
        return File.ReadAllBytes(RunProcess.Result(data));
    }
}
