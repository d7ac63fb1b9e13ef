namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class SwinStagesTests
{
    private static readonly Dictionary<string, (ClipArchitecture Architecture, string Fault)> Faulty = new()
    {
        ["blocks do not sum up"] = (Swin(new(2, 2, 6, 2), layers: 4),
            "VisionLayers is 4; the stages of Swin have 12 blocks together, and it must be that."),
        ["no first stage"] = (Swin(new(0, 2), layers: 2),
            "Swin has stages of 0, 2, 0, 0 blocks; the first has 1 to 256, each other one at most as many, and none comes after one of 0."),
        ["a gap"] = (Swin(new(2, 0, 2), layers: 4),
            "Swin has stages of 2, 0, 2, 0 blocks; the first has 1 to 256, each other one at most as many, and none comes after one of 0."),
        ["too many"] = (Swin(new(2, 257), layers: 256),
            "Swin has stages of 2, 257, 0, 0 blocks; the first has 1 to 256, each other one at most as many, and none comes after one of " +
            "0."),
        ["window 0"] = (Swin(new(2) { WindowSize = 0 }, layers: 2), "Swin.WindowSize is 0; 1 to 32 are allowed."),
        ["window too large"] = (Swin(new(2) { WindowSize = 33 }, layers: 2), "Swin.WindowSize is 33; 1 to 32 are allowed."),
        ["stochastic depth 1"] = (Swin(new(2) { StochasticDepth = 1 }, layers: 2),
            "Swin.StochasticDepth is 1; it must be 0 or more and below 1."),
        ["stochastic depth below 0"] = (Swin(new(2) { StochasticDepth = -0.1 }, layers: 2),
            "Swin.StochasticDepth is -0.1; it must be 0 or more and below 1."),
        ["stochastic depth NaN"] = (Swin(new(2) { StochasticDepth = double.NaN }, layers: 2),
            "Swin.StochasticDepth is NaN; it must be 0 or more and below 1."),
        ["last stage too wide"] = (Swin(new(1, 1, 1, 1), layers: 4) with { VisionWidth = 3072 },
            "VisionWidth is 3072, which makes the last stage of Swin 24576 wide; at most 16384 is allowed there."),
        ["patch does not divide"] = (Swin(new(2), layers: 2) with { ImageSize = 226 },
            "ImageSize is 226 and PatchSize 4; the image size must be a multiple of the patch size."),
        ["heads do not divide"] = (Swin(new(2), layers: 2) with { VisionHeads = 5 },
            "VisionWidth is 96 and VisionHeads 5; the width must be a multiple of the number of heads."),
    };

    public static IEnumerable<string> FaultyCases => Faulty.Keys;

    [TestMethod]
    [DynamicData(nameof(FaultyCases))]
    public void Faults_OneFault_NamesItAlone(string fault) =>
        CollectionAssert.AreEqual(new[] { Faulty[fault].Fault }, OptionFaults.Of(Faulty[fault].Architecture).ToArray());

    [TestMethod]
    public void Faults_ResNetToo_IsOneOfThem() => CollectionAssert.Contains(
        OptionFaults.Of(ClipArchitecture.SwinT with { ResNet = new(1, 1, 1, 1) }).ToArray(),
            "ResNet and Swin are both set; a vision tower is one of them.");

    [TestMethod]
    public void Presets_Sizes_AreThoseOfTheSources()
    {
        var swin = ClipArchitecture.SwinT;   // the Swin paper's table 7; text tower and projection of UniCL's configuration of Swin-T
        DataTestRows.Equal<int>([2, 2, 6, 2], swin.Swin!.ToArray());
        Assert.AreEqual((224, 4, 96, 3, 7, 4.0),
            (swin.ImageSize, swin.PatchSize, swin.VisionWidth, swin.VisionHeads, swin.Swin.WindowSize, swin.MlpRatio));
        Assert.AreEqual((0.2, 0.0), (swin.Swin.StochasticDepth, ClipArchitecture.SmallSwin.Swin!.StochasticDepth));
        Assert.AreEqual((77, 512, 12, 8, 512), (swin.ContextLength, swin.TextWidth, swin.TextLayers, swin.TextHeads, swin.EmbeddingSize));
        var small = ClipArchitecture.SmallSwin;
        Assert.AreEqual(ClipArchitecture.Small with
        {
            PatchSize = 4,
            VisionWidth = 48,
            VisionLayers = 6,
            VisionHeads = 3,
            Swin = small.Swin
        }, small);
    }

    [TestMethod]
    public void BranchRates_Blocks_RiseLinearlyFromZero()
    {
        var rates = ClipArchitecture.SwinT.Swin!.BranchRates();
        Assert.HasCount(12, rates);
        for (var block = 0; block < 12; block++) Assert.AreEqual(0.2 * block / 11, rates[block], 1e-15, $"block {block}");
        DataTestRows.Equal<double>([0, 0.25, 0.5], new SwinStages(1, 1, 1) { StochasticDepth = 0.5 }.BranchRates());
        DataTestRows.Equal<double>([0], new SwinStages(1) { StochasticDepth = 0.5 }.BranchRates());
        DataTestRows.Equal<double>([0, 0, 0, 0], new SwinStages(2, 2).BranchRates());
    }

    [TestMethod]
    public void Equality_SameStages_AreEqual()
    {
        Assert.AreEqual(new SwinStages(2, 2) { WindowSize = 4 }, new SwinStages(2, 2) { WindowSize = 4 });
        Assert.AreNotEqual(new SwinStages(2, 2) { WindowSize = 4 }, new SwinStages(2, 2) { WindowSize = 5 });
    }

    private static ClipArchitecture Swin(SwinStages stages, int layers) =>
        ClipArchitecture.SwinT with { Swin = stages, VisionLayers = layers };
}
