using static Microsoft.ML.PrefixConditioning.CompatibilityTests.SharedProcess;

namespace Microsoft.ML.PrefixConditioning.CompatibilityTests;

/// <summary>This package and Microsoft.ML.TorchSharp in one process, with one TorchSharp.</summary>
[TestClass]
public sealed class MicrosoftMLTorchSharpTests
{
    private static readonly Lazy<string[]> OursFirst = new(() => Run(Step.Ours, Step.Theirs, Step.Ours));

    [TestMethod]
    public void Fit_BeforeAndAfterTheirs_ScoresAreTheSame()
    {
        Assert.HasCount(4, OursFirst.Value);
        Assert.StartsWith("scores ", OursFirst.Value[0]);
        Assert.AreEqual(OursFirst.Value[0], OursFirst.Value[^1]);
    }

    [TestMethod]
    public void Fit_TheirsFirst_ScoresAreThoseWithoutTheirs()
    {
        var theirsFirst = Run(Step.EnsureLoaded, Step.Theirs, Step.Ours);

        Assert.AreEqual(OursFirst.Value[0], theirsFirst[^1]);
        CollectionAssert.AreEqual(OursFirst.Value[1..^1], theirsFirst[..^1]);
    }

    /// <summary>README says so: when a newer Microsoft.ML.TorchSharp mends it, README changes with this test.</summary>
    [TestMethod]
    public void Theirs_WithThisTorchSharp_FailInside()
    {
        Assert.StartsWith("detector MissingMethodException: Method not found: ", OursFirst.Value[1]);
        Assert.Contains("functional.interpolate", OursFirst.Value[1]);
        Assert.AreEqual("text encoder InvalidOperationException: Tensor invalid -- empty handle.", OursFirst.Value[2]);
    }
}
