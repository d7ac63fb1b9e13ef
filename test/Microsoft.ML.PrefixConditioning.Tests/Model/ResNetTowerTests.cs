using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The ResNet tower against open_clip v2.20.0. Tolerance 1e-5 absolute as test/golden states.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class ResNetTowerTests
{
    private static readonly PretrainedWishes Wishes = new() { Activation = ClipActivation.QuickGelu, TextHeads = 2 };

    private static ModelFolder Folder()
    {
        using var scope = NewDisposeScope();
        return new ModelFolder().Add("rn.safetensors", ModelFolder.Bytes(ResNetModel.Weights()));
    }

    private static ClipModel Load(ModelFolder folder)
    {
        using var pretrained = PretrainedClip.Open(folder.Path, Wishes);
        var model = ClipModel.CreateUnset(pretrained.FileShape, CPU);
        pretrained.ReadInto(model, pretrained.Prefixes.DatasetTypes, seed: 1);
        return model;
    }

    [TestMethod]
    public void Forward_TinyModel_EqualsReference()
    {
        using var scope = NewDisposeScope();
        using var folder = Folder();
        using var model = Load(folder);
        Assert.AreEqual(new ResNetStages(1, 1, 1, 1), model.Shape.Architecture.ResNet);
        Assert.AreEqual((64, 32, 8, 4, 4, 16), (model.Shape.Architecture.ImageSize, model.Shape.Architecture.PatchSize,
            model.Shape.Architecture.VisionWidth,
            model.Shape.Architecture.VisionLayers, model.Shape.Architecture.VisionHeads, model.Shape.Architecture.EmbeddingSize));
        var images = ResNetModel.Images();
        var expected = TinyGolden.Tensors("clip_resnet_tiny", "outputs.safetensors");
        TinyGolden.AreClose(expected["stem_mean"], ((ResNetTower)model.Vision).Stem(images).mean([0, 2, 3]), 1e-5, "stem");
        TinyGolden.AreClose(expected["image_features_raw"], model.Vision.Forward(images, null), 1e-5, "image features");
        TinyGolden.AreClose(expected["text_features_raw"], model.Text.Forward(expected["tokens"], null), 1e-5, "text features");

        var loss = ContrastiveLoss.Clip(model.EncodeImages(images, null), model.EncodeTexts(expected["tokens"], null), model.LogitScale.exp(
            ));
        TinyGolden.AreClose(expected["clip_loss"], loss, 1e-5, "loss");
        loss.backward();
        var weights = model.Weights.ToDictionary(w => w.Key, w => w.Value);
        foreach (var (name, gradient) in expected.Where(e => e.Key.StartsWith("grad.", StringComparison.Ordinal)))
            TinyGolden.AreClose(gradient, weights[name["grad.".Length..]].grad!, 1e-5, name);
        Assert.IsNull(weights["visual.bn1.running_mean"].grad);
    }

    [TestMethod]
    public void ParameterCount_RN50_IsTheReferenceModels()
    {
        using var scope = NewDisposeScope();
        using var model = ClipModel.CreateUnset(new ClipModelShape(ClipArchitecture.RN50, 49408, 0, 0, 0), new Device(DeviceType.META));
        Assert.AreEqual(102_007_137, model.ParameterCount);   // open_clip's own count, statistics not among them
        Assert.IsEmpty(OptionFaults.Of(ClipArchitecture.RN50));
        var header = model.Weights.ToDictionary(w => w.Key, w => new WeightEntry(w.Key, ScalarType.Float32, w.Value.shape, _ => { }));
        var shape = ArchitectureInference.Infer(header, ClipLayout.OpenClip, PretrainedConfig.Empty,
            new PretrainedWishes { Activation = ClipActivation.QuickGelu });
        Assert.AreEqual(ClipArchitecture.RN50, shape.Architecture);
        header.Remove("visual.layer3.5.bn2.running_var");
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => ArchitectureInference.Infer(header, ClipLayout.OpenClip, PretrainedConfig.Empty,
                new PretrainedWishes { Activation = ClipActivation.QuickGelu }));
        StringAssert.Contains(error.Message, "The file lacks 1 tensor of its model: 'visual.layer3.5.bn2.running_var'.");
    }

    [TestMethod]
    public void SaveSafetensors_ResNet_RoundTripsInOpenClipsLayoutOnly()
    {
        using ModelFolder folder = Folder(), written = new();
        var network = Load(folder);
        var settings = ModelFolder.SettingsOf(network);
        ClipExport.Write(written.Path, ClipLayout.OpenClip, network, SmallModel.Tokenizer, settings);
        using (var scope = NewDisposeScope())
        {
            var (expected, actual) = (Safetensors.Load(folder["rn.safetensors"]), Safetensors.Load(written["open_clip_model.safetensors"]));
            foreach (var (name, tensor) in actual) CollectionAssert.AreEqual(expected[name].bytes.ToArray(), tensor.bytes.ToArray(), name);
        }
        using (var pretrained = PretrainedClip.Open(written.Path, new PretrainedWishes())) Assert.AreEqual(network.Shape.Architecture,
            pretrained.Architecture);
        using var transformer = new PrefixClipTransformer(new MLContext(1), new TrainedModel(network, SmallModel.Tokenizer, settings,
            TrainingHistory.Empty));
        StringAssert.StartsWith(Assert.ThrowsExactly<ArgumentException>(() => transformer.SaveSafetensors(written.Path,
            ClipLayout.HuggingFace)).Message,
            "Hugging Face's CLIPModel has no ResNet tower; save this model in open_clip's layout.");
        using var loaded = (PrefixClipTransformer)new SavedModel(transformer).Load(out _);
        Assert.AreEqual(network.Shape.Architecture, loaded.Architecture);
    }

    [TestMethod]
    public void Open_ConfigurationOfAnotherResNet_NamesTheLayersOfBoth()
    {
        using ModelFolder folder = Folder(), written = new();
        using var network = Load(folder);
        ClipExport.Write(written.Path, ClipLayout.OpenClip, network, SmallModel.Tokenizer, ModelFolder.SettingsOf(network));
        var config = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(written["open_clip_config.json"]))!;
        config["model_cfg"]!["vision_cfg"]!["layers"] = new System.Text.Json.Nodes.JsonArray(3, 4, 23, 3);
        written.Add("open_clip_config.json", config.ToJsonString());
        var error = Assert.ThrowsExactly<InvalidDataException>(() => PretrainedClip.Open(written.Path, new PretrainedWishes()));
        StringAssert.Contains(error.Message, "gives the ResNet layers [3, 4, 23, 3], the shapes of the weights give " +
            $"[{string.Join(", ", network.Shape.Architecture.ResNet!.ToArray())}]. Weights and configuration do not belong together.");
    }

    [TestMethod]
    public void Fit_FromAResNet_KeepsTheStatistics()
    {
        using var data = new DrawnData(labeled: 8, captioned: 8);
        using ModelFolder folder = Folder(), whole = new();
        using (var network = Load(folder)) ClipExport.Write(whole.Path, ClipLayout.OpenClip, network, SmallModel.Tokenizer,
            ModelFolder.SettingsOf(network));
        var options = DrawnData.Options with
        {
            Architecture = null,
            InitialWeights = whole.Path,
            BatchSize = 4,
            Epochs = 1,
            Optimizer = new() { WarmupSteps = 0 },
            FineTuning = new() { FrozenVisionLayers = 2 }
        };
        using var before = new MLContext(1).Model.LoadClip(whole.Path);
        using var trained = data.Fit(options);
        var (first, last) = (DrawnData.Weights(before), DrawnData.Weights(trained));
        foreach (var (name, bytes) in first)
        {
            var frozen = name.Contains(".running_", StringComparison.Ordinal)
                || name.StartsWith("visual.layer1.", StringComparison.Ordinal)
                || name.StartsWith("visual.layer2.", StringComparison.Ordinal)
                || name.StartsWith("visual.conv", StringComparison.Ordinal) || name.StartsWith("visual.bn", StringComparison.Ordinal);
            Assert.AreEqual(frozen, bytes.AsSpan().SequenceEqual(last[name]), name);
        }
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => data.Fit(options with
        {
            InitialWeights = null,
            Architecture = before.Architecture
        })).Message,
            "Architecture has a ResNet, which cannot be trained from random weights; set InitialWeights.");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => data.Fit(options with { ImagePrefixLength = 1 })).Message,
            "ImagePrefixLength is 1; a ResNet takes no prefix, so it must be 0.");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() =>
            data.Fit(options with { Architecture = before.Architecture with { ImageSize = 96 } })).Message,
            "has a ResNet, whose image size is 64; 96 was requested. Do not set it.");
    }
}
