using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Learning rates against open_clip v3.3.0; 1e-15 absolute, the rounding of double arithmetic at 1e-3.</summary>
[TestClass]
public sealed class LearningRateTests
{
    [TestMethod]
    [DataRow("cosine", LearningRateSchedule.Cosine, 10)]
    [DataRow("cosine_no_warmup", LearningRateSchedule.Cosine, 0)]
    [DataRow("const", LearningRateSchedule.Constant, 10)]
    public void At_EveryStep_EqualsReference(string name, LearningRateSchedule schedule, int warmup)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Golden.Path("scheduler", "scheduler.json")));
        var expected = document.RootElement.GetProperty(name).EnumerateArray().Select(e => e.GetDouble()).ToArray();
        Assert.HasCount(100, expected);
        for (var step = 0; step < 100; step++)
            Assert.AreEqual(expected[step], LearningRate.At(schedule, step, 1e-3, warmup, 100), 1e-15, $"step {step}");
    }
}
