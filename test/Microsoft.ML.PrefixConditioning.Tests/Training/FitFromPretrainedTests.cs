using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Training that starts from a published model.</summary>
[TestClass]
public sealed class FitFromPretrainedTests
{
    private static readonly string[] Texts = ["a red square", "here is a blue disc"];

    private static readonly PrefixClipOptions Options = DrawnData.Options with { Architecture = null };

    /// <summary>The files of a plain model with its own mean, as another program would have written them.</summary>
    private static ModelFolder Published(int prefixLength = 0)
    {
        var folder = new ModelFolder();
        var options = new PrefixClipOptions
        {
            Architecture = SmallModel.Architecture with { Activation = ClipActivation.QuickGelu, TextLayers = 2 },
            PrefixLength = prefixLength,
        };
        var settings = ModelSettings.From(options, [DatasetType.Caption], SmallModel.Tokenizer.VocabularySize) with
        {
            Normalization = new ImageNormalization(new(0.3f, 0.4f, 0.5f), new(0.6f, 0.5f, 0.4f)),
        };
        using var network = ClipModel.Create(settings.Shape, CPU, seed: 5);
        ClipExport.Write(folder.Path, ClipLayout.OpenClip, network, SmallModel.Tokenizer, settings);
        return folder;
    }

    private static PrefixClipTransformer Load(ModelFolder folder) => new MLContext(1).Model.LoadClip(folder.Path);

    private static T Fails<T>(PrefixClipOptions options) where T : Exception
    {
        using var data = new DrawnData();
        var before = LiveTensors.Count();
        var error = Assert.ThrowsExactly<T>(() => data.Fit(options));
        Assert.AreEqual(before, LiveTensors.Count());
        return error;
    }

    [TestMethod]
    public void Fit_OnlyPrefixes_LeavesTheModelWithoutThemBitEqual()
    {
        using var data = new DrawnData();
        using var folder = Published();
        using var loaded = Load(folder);
        using var trained = data.Fit(Options with
        {
            InitialWeights = folder.Path,
            FineTuning = new() { TrainableParts = TrainableParts.Prefixes },
            Epochs = 3
        });

        Assert.AreEqual(loaded.Architecture, trained.Architecture);
        Assert.AreEqual(loaded.Trained.Settings.Normalization, trained.Trained.Settings.Normalization);
        var (before, after) = (DrawnData.Weights(loaded), DrawnData.Weights(trained));
        CollectionAssert.AreEquivalent(before.Keys.Append("prefix_embedding").ToArray(), after.Keys);
        foreach (var (name, bytes) in before) CollectionAssert.AreEqual(bytes, after[name], name);
        for (var i = 0; i < Texts.Length; i++)
        {
            CollectionAssert.AreEqual(loaded.EncodeTexts(Texts, PrefixSelection.None)[i], trained.EncodeTexts(Texts,
                PrefixSelection.None)[i]);
            CollectionAssert.AreNotEqual(loaded.EncodeTexts(Texts)[i], trained.EncodeTexts(Texts)[i]);
        }
        CollectionAssert.AreEqual(loaded.EncodeImages([data.Rows[0].Image])[0], trained.EncodeImages([data.Rows[0].Image])[0]);
    }

    [TestMethod]
    public void Fit_WithoutPrefixes_FirstLossIsTheLoadedModelsOwn()
    {
        using var scope = NewDisposeScope();
        using var data = new DrawnData(labeled: 0);
        using var folder = Published();
        using var loaded = Load(folder);
        using var trained = data.Fit(Options with
        {
            InitialWeights = folder.Path,
            PrefixLength = 0,
            BatchSize = data.Rows.Count,
            Augmentation = new() { MinCropScale = 1 },
            Epochs = 1
        });
        var images = stack(loaded.EncodeImages([.. data.Rows.Select(r => r.Image)]).Select(e => tensor(e)));
        var texts = stack(loaded.EncodeTexts([.. data.Rows.Select(r => r.Text)], PrefixSelection.None).Select(e => tensor(e)));
        var expected = ContrastiveLoss.Clip(images, texts, tensor((float)loaded.LogitScale)).data<float>()[0];
        Assert.AreEqual(expected, trained.History.Steps[0].Loss, 1e-5);
        Assert.HasCount(1, trained.History.Steps);
        CollectionAssert.AreNotEqual(DrawnData.Weights(loaded)["visual.proj"], DrawnData.Weights(trained)["visual.proj"]);
    }

    [TestMethod]
    [DataRow(TrainableParts.Vision)]
    [DataRow(TrainableParts.Text)]
    [DataRow(TrainableParts.Projections)]
    [DataRow(TrainableParts.Prefixes)]
    [DataRow(TrainableParts.LogitScale)]
    public void Fit_OnePart_ChangesAllOfItAndNothingElse(TrainableParts part)
    {
        using var data = new DrawnData();
        using var folder = Published(prefixLength: 1);
        using var loaded = Load(folder);
        using var trained = data.Fit(Options with
        {
            InitialWeights = folder.Path,
            FineTuning = new() { TrainableParts = part },
            DatasetTypes = [DatasetType.Classification, DatasetType.Caption],
            Optimizer = new() { WarmupSteps = 0 }
        });
        var (before, after) = (DrawnData.Weights(loaded), DrawnData.Weights(trained));
        trained.Trained.Lend(network =>
        {
            foreach (var (name, bytes) in before.Where(w => w.Key != "prefix_embedding"))
                Assert.AreEqual(network.PlaceOf(name).Part == part, !bytes.AsSpan().SequenceEqual(after[name]), name);
        });
        // The caption type's prefix comes from the file and now stands second.
        var caption = after["prefix_embedding"].AsSpan(after["prefix_embedding"].Length / 2);
        Assert.AreEqual(part == TrainableParts.Prefixes, !caption.SequenceEqual(before["prefix_embedding"]));
    }

    [TestMethod]
    public void Fit_FrozenLayers_StayBitEqual()
    {
        using var data = new DrawnData();
        using var folder = Published();
        using var loaded = Load(folder);
        var options = Options with
        {
            InitialWeights = folder.Path,
            FineTuning = new() { FrozenTextLayers = 1, FrozenVisionLayers = 1, LayerDecay = 0.7, PrefixLearningRateFactor = 5 },
            Optimizer = new() { WarmupSteps = 0, GradientClipNorm = 1 }
        };
        using var trained = data.Fit(options);
        var (before, after) = (DrawnData.Weights(loaded), DrawnData.Weights(trained));
        trained.Trained.Lend(network =>
        {
            foreach (var (name, bytes) in before)
                Assert.AreEqual(TrainingPlan.IsTrained(network.PlaceOf(name), options.FineTuning),
                    !bytes.AsSpan().SequenceEqual(after[name]), name);
        });
    }

    [TestMethod]
    [DataRow(3)]
    [DataRow(8)]
    public void Fit_InterruptedWithFrozenParts_GoesOnBitEqual(int step)
    {
        using var data = new DrawnData();
        using var folder = Published();
        var options = Options with
        {
            InitialWeights = folder.Path,
            FineTuning = new() { TrainableParts = TrainableParts.Prefixes | TrainableParts.Text, FrozenTextLayers = 1 },
            Epochs = 3
        };
        using var whole = data.Fit(options);
        var withFolder = options with { Checkpoints = new() { Folder = data["run"] } };
        using var cancellation = new CancellationTokenSource();
        Assert.ThrowsExactly<OperationCanceledException>(
            () => data.Fit(withFolder with
            {
                Progress = new Reports(r => { if (r.Step == step) cancellation.Cancel(); }),
                CancellationToken = cancellation.Token
            }));
        var checkpoint = Safetensors.Load(Path.Combine(data["run"], CheckpointFolder.FileName(step)));
        Assert.IsFalse(checkpoint.Keys.Any(n => n.StartsWith(ClipOptimizer.FirstMomentPrefix + "visual.", StringComparison.Ordinal)),
            "no state for frozen weights");
        foreach (var tensor in checkpoint.Values) tensor.Dispose();
        using var resumed = data.Fit(withFolder);
        DrawnData.AreBitEqual(DrawnData.Weights(whole), DrawnData.Weights(resumed));
        CollectionAssert.AreEqual(whole.History.Steps.ToArray(), resumed.History.Steps.ToArray());

        void Refused(PrefixClipOptions changed) => StringAssert.Contains(
            Assert.ThrowsExactly<InvalidDataException>(() => data.Fit(changed)).Message, "belongs to a run with other options or other " +
                "data.");
        Refused(withFolder with { FineTuning = withFolder.FineTuning with { FrozenTextLayers = 0 } });
        using (NewDisposeScope())
        {
            var all = Safetensors.Load(folder["open_clip_model.safetensors"]);
            using (no_grad()) all["ln_final.bias"].add_(1);
            folder.Add("open_clip_model.safetensors", ModelFolder.Bytes(all));
        }
        Refused(withFolder);
    }

    [TestMethod]
    public void Fit_OtherPrefixesInTheFile_RefusesTheCheckpoint()
    {
        using var data = new DrawnData();
        using var folder = Published(prefixLength: 1);
        var options = Options with
        {
            InitialWeights = folder.Path,
            Checkpoints = new() { Folder = data["run"] },
            DatasetTypes = [DatasetType.Classification, DatasetType.Caption],
        };
        using (data.Fit(options))
        using (data.Fit(options with { Progress = new Reports(_ => Assert.Fail("the run was finished")) }))
        {
            // One number of the file's prefix, and nothing else.
            var file = Directory.GetFiles(folder.Path, "*.safetensors").Single();
            var bytes = File.ReadAllBytes(file);
            var header = BitConverter.ToInt32(bytes);
            using var json = System.Text.Json.JsonDocument.Parse(bytes.AsMemory(8, header));
            bytes[8 + header + json.RootElement.GetProperty("prefix_embedding").GetProperty("data_offsets")[0].GetInt32()] ^= 1;
            File.WriteAllBytes(file, bytes);
        }
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => data.Fit(options)).Message,
            "belongs to a run with other options");
    }

    [TestMethod]
    public void Fit_SameSeed_GivesTheSameModel()
    {
        using var data = new DrawnData();
        using var folder = Published();
        using var first = data.Fit(Options with { InitialWeights = folder.Path });
        using var second = data.Fit(Options with { InitialWeights = folder.Path });
        DrawnData.AreBitEqual(DrawnData.Weights(first), DrawnData.Weights(second));
    }

    [TestMethod]
    public void Fit_OtherImageSize_IsTrainedAtIt()
    {
        using var data = new DrawnData();
        using var folder = Published();
        using var loaded = Load(folder);
        using var trained = data.Fit(Options with
        {
            InitialWeights = folder.Path,
            Architecture = loaded.Architecture with { ImageSize = 24 },
            Epochs = 1
        });
        Assert.AreEqual(loaded.Architecture with { ImageSize = 24 }, trained.Architecture);
    }

    [TestMethod]
    public void Fit_OptionsThatContradictTheFile_SaysWhatToChange()
    {
        using var folder = Published(prefixLength: 1);
        using var loaded = Load(folder);
        var options = Options with { InitialWeights = folder.Path };
        Assert.AreEqual(
            $"Architecture contradicts the model '{folder.Path}': EmbeddingSize is 9, the model has 8. Do not set Architecture; only " +
                "its image size may differ from the model's.",
            Fails<ArgumentException>(options with { Architecture = loaded.Architecture with { EmbeddingSize = 9 } }).Message);
        var gelu = loaded.Architecture with { Activation = ClipActivation.Gelu };
        StringAssert.StartsWith(Fails<ArgumentException>(options with { Architecture = gelu }).Message,
            "Activation is Gelu, but '");
        StringAssert.EndsWith(Fails<ArgumentException>(options with { PrefixLength = 2 }).Message,
            "has 1 prefix token(s) for each dataset type in 'prefix_embedding', and 2 were requested. Set PrefixLength to 1.");
        StringAssert.Contains(Fails<ArgumentException>(options with { FineTuning = new() { FrozenTextLayers = 3 } }).Message,
            "FineTuning.FrozenTextLayers is 3; the tower has 2 blocks, and no more can be frozen.");
        StringAssert.Contains(Fails<FileNotFoundException>(options with { InitialWeights = folder["none"] }).Message,
            "There is no file or folder");
    }
}
