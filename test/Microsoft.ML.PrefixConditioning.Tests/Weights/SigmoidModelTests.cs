namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Models of the sigmoid loss: trained, saved, exported, read again and trained on.</summary>
[TestClass]
public sealed class SigmoidModelTests
{
    private static readonly PrefixClipOptions Options = DrawnData.Options with
    {
        Epochs = 4,
        LearningRate = 2e-3,
        Loss = LossFunction.SigLip,
    };

    private static float Bias(PrefixClipTransformer model) => BitConverter.ToSingle(DrawnData.Weights(model)["logit_bias"]);

    [TestMethod]
    public void Fit_SigLip_LearnsAndKeepsItsBias()
    {
        using var data = new DrawnData();
        using var model = data.Fit(Options with { Epochs = 120 });
        var losses = model.History.Steps.Select(s => (double)s.Loss).ToArray();
        Assert.IsLessThan(2.5, losses.TakeLast(100).Average());   // telling nothing apart among 8 rows gives 3.01
        Assert.AreNotEqual(-10f, Bias(model));
        using var again = (PrefixClipTransformer)new SavedModel(model).Load(out _);
        DrawnData.AreBitEqual(DrawnData.Weights(model), DrawnData.Weights(again));
    }

    [TestMethod]
    [DataRow(ClipLayout.OpenClip)]
    [DataRow(ClipLayout.HuggingFace)]
    public void SaveSafetensors_SigLip_TrainsOnFromTheSameBias(ClipLayout layout)
    {
        using var data = new DrawnData();
        using var folder = new ModelFolder();
        using var model = data.Fit(Options);
        model.SaveSafetensors(folder.Path, layout);
        if (layout == ClipLayout.OpenClip)
            StringAssert.Contains(File.ReadAllText(folder["open_clip_config.json"]), "\"init_logit_bias\": ");
        using var loaded = new MLContext(1).Model.LoadClip(folder.Path);
        DrawnData.AreBitEqual(DrawnData.Weights(model), DrawnData.Weights(loaded));
        var frozen = Options with
        {
            Architecture = null,
            InitialWeights = folder.Path,
            Epochs = 1,
            FineTuning = new() { TrainableParts = TrainableParts.Prefixes },
        };
        using var trained = data.Fit(frozen);
        Assert.AreEqual(Bias(model), Bias(trained));
        using var clip = data.Fit(frozen with { Loss = LossFunction.Clip });
        Assert.IsFalse(DrawnData.Weights(clip).ContainsKey("logit_bias"));
    }

    [TestMethod]
    public void Fit_SigLipFromWeightsWithoutBias_StartsAtMinusTen()
    {
        using var data = new DrawnData();
        using var folder = new ModelFolder();
        using (var clip = data.Fit(Options with { Epochs = 1, Loss = LossFunction.Clip })) clip.SaveSafetensors(folder.Path);
        using var model = data.Fit(Options with
        {
            Architecture = null,
            InitialWeights = folder.Path,
            Epochs = 1,
            FineTuning = new() { TrainableParts = TrainableParts.Prefixes },
        });
        Assert.AreEqual(-10f, Bias(model));
    }
}
