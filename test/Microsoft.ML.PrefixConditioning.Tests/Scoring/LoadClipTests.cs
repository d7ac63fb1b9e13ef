using System.Text.Json;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Published models as transformers: written, read back and used.</summary>
[TestClass]
public sealed class LoadClipTests
{
    private static readonly MLContext Context = new(seed: 1);
    private static readonly string[] Texts = ["a red square", "the blue disc", "something else"];

    private static readonly ImageNormalization OwnNormalization = new(new(0.1f, 0.2f, 0.3f), new(0.4f, 0.5f, 0.6f));

    /// <summary>A model with its own mean, templates, types and large prefixes.</summary>
    private static PrefixClipTransformer Model(int prefixLength = 2, int imagePrefixLength = 1,
        ClipActivation activation = ClipActivation.QuickGelu, double mlpRatio = 4)
    {
        var options = new PrefixClipOptions
        {
            Architecture = SmallModel.Architecture with { Activation = activation, MlpRatio = mlpRatio }, PrefixLength = prefixLength,
            ImagePrefixLength = imagePrefixLength,
            PromptTemplates = PromptTemplates.Of("one {}", "„{}“"),
            ImageDecoding = ImageDecoding.OpenClip,
        };
        var settings = ModelSettings.From(options, [DatasetType.Caption, new("größer", TextKind.ClassName)],
            SmallModel.Tokenizer.VocabularySize) with
        { Normalization = OwnNormalization };
        var network = ClipModel.Create(settings.Shape, CPU, seed: 3);
        using (no_grad())
        using (NewDisposeScope())
            foreach (var (_, weight) in network.Weights.Where(w => w.Key.Contains("prefix", StringComparison.Ordinal))) weight.mul_(50);
        return new PrefixClipTransformer(Context, new TrainedModel(network, SmallModel.Tokenizer, settings, TrainingHistory.Empty));
    }

    [TestMethod]
    [DataRow(ClipLayout.OpenClip, 2, 1, 4.0)]
    [DataRow(ClipLayout.HuggingFace, 2, 1, 3.5)]
    [DataRow(ClipLayout.OpenClip, 0, 0, 4.0)]
    [DataRow(ClipLayout.HuggingFace, 0, 1, 4.0)]
    public void LoadClip_WhatSaveSafetensorsWrote_IsBitEqual(ClipLayout layout, int prefixLength, int imagePrefixLength, double mlpRatio)
    {
        using var folder = new ModelFolder();
        using var model = Model(prefixLength, imagePrefixLength, mlpRatio: mlpRatio);
        model.SaveSafetensors(folder.Path, layout);
        using var loaded = Context.Model.LoadClip(folder.Path);

        DrawnData.AreBitEqual(DrawnData.Weights(model), DrawnData.Weights(loaded));
        Assert.AreEqual(model.Architecture, loaded.Architecture);
        CollectionAssert.AreEqual(model.DatasetTypes.ToArray(), loaded.DatasetTypes.ToArray());
        CollectionAssert.AreEqual(model.Trained.Settings.Templates.ToArray(), loaded.Trained.Settings.Templates.ToArray());
        Assert.AreEqual(ImageDecoding.OpenClip, loaded.Trained.Settings.ImageDecoding);
        Assert.AreEqual(OwnNormalization, loaded.Trained.Settings.Normalization);
        Assert.IsEmpty(loaded.History.Steps);
        foreach (var prefix in new[] { null, PrefixSelection.None, PrefixSelection.For("größer") })
            foreach (var (expected, actual) in model.EncodeTexts(Texts, prefix).Zip(loaded.EncodeTexts(Texts,
                prefix))) CollectionAssert.AreEqual(expected, actual);
        using var image = ScoringModel.Image(3);
        CollectionAssert.AreEqual(model.EncodeImages([image])[0], loaded.EncodeImages([image])[0]);
        Assert.IsEmpty(Directory.GetFiles(folder.Path).Where(f => f.Contains(".tmp", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void LoadClip_Options_DecideWhatTheFilesLeaveOpen()
    {
        using var folder = new ModelFolder();
        using var model = Model();
        model.SaveSafetensors(folder.Path);
        using var loaded = Context.Model.LoadClip(folder.Path, new ClipLoadOptions
        {
            ImageSize = 32, Columns = new() { Image = "Photo", Text = "Words", Label = "Class", ImageEmbedding = "I", TextEmbedding = "T" },
            BadRows = BadRowPolicy.Skip, ImageDecoding = ImageDecoding.Upright, PromptTemplates = PromptTemplates.NameOnly,
            Device = ComputeDevice.Cpu,
        });
        var settings = loaded.Trained.Settings;
        Assert.AreEqual(("Photo", "Words", "Class", "I", "T"), (settings.ImageColumnName, settings.TextColumnName,
            settings.LabelColumnName, settings.ImageEmbeddingColumnName, settings.TextEmbeddingColumnName));
        Assert.AreEqual((32, BadRowPolicy.Skip, ImageDecoding.Upright), (settings.Architecture.ImageSize, settings.BadRows,
            settings.ImageDecoding));
        CollectionAssert.AreEqual(PromptTemplates.NameOnly.ToArray(), settings.Templates.ToArray());
    }

    [TestMethod]
    public void LoadClip_FaultyOptions_NamesThem()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => Context.Model.LoadClip("x", new ClipLoadOptions
        {
            Columns = new() { Image = "", TextEmbedding = "ImageEmbedding" }, VocabularyPath = " ", ImageSize = 0, VisionHeads = -1,
            Activation = (ClipActivation)9, Device = (ComputeDevice)9,
        }));
        var lines = error.Message.Split(Environment.NewLine);
        Assert.AreEqual("ClipLoadOptions has 7 fault(s):", lines[0]);
        foreach (var start in new[] { "- Columns.Image is empty", "- VocabularyPath is empty", "- ImageSize is 0;",
            "- VisionHeads is -1;", "- Activation is 9;", "- Device is 9;", "- Columns.ImageEmbedding and" })
            Assert.ContainsSingle(l => l.StartsWith(start, StringComparison.Ordinal), lines);
    }

    [TestMethod]
    public void LoadClip_PlainModel_HasNoPrefixesAndTheCaptionType()
    {
        using var folder = new ModelFolder();
        using var model = Model(0, 0);
        model.SaveSafetensors(folder.Path);
        using (NewDisposeScope())
        {
            var plain = Safetensors.Load(folder["open_clip_model.safetensors"]);   // as another program writes it
            folder.Add("open_clip_model.safetensors", ModelFolder.Bytes(plain));
        }
        using var loaded = Context.Model.LoadClip(folder.Path);
        CollectionAssert.AreEqual(new[] { DatasetType.Caption }, loaded.DatasetTypes.ToArray());
        Assert.AreEqual((0, 0), (loaded.Trained.Settings.PrefixLength, loaded.Trained.Settings.ImagePrefixLength));
        CollectionAssert.AreEqual(loaded.EncodeTexts(Texts, PrefixSelection.None)[1], loaded.EncodeTexts(Texts)[1]);
        CollectionAssert.AreEqual(PromptTemplates.Default.ToArray(), loaded.Trained.Settings.Templates.ToArray());
    }

    [TestMethod]
    public void LoadClip_SavedByMlNetAndLoaded_KeepsMeanAndDeviation()
    {
        using var folder = new ModelFolder();
        using var model = Model();
        model.SaveSafetensors(folder.Path, ClipLayout.HuggingFace);
        using var loaded = Context.Model.LoadClip(folder.Path);
        using var again = (PrefixClipTransformer)new SavedModel(loaded).Load(out _);
        using var image = ScoringModel.Image(5);
        CollectionAssert.AreEqual(model.EncodeImages([image])[0], again.EncodeImages([image])[0]);
        Assert.AreEqual(OwnNormalization, again.Trained.Settings.Normalization);
        using var other = new PrefixClipTransformer(Context, new TrainedModel(
            ClipModel.Create(model.Trained.Settings.Shape, CPU, 3), SmallModel.Tokenizer,
                model.Trained.Settings with { Normalization = ImageNormalization.Clip }, TrainingHistory.Empty));
        CollectionAssert.AreNotEqual(model.EncodeImages([image])[0], other.EncodeImages([image])[0], "the mean matters");
    }

    [TestMethod]
    public void LoadClip_SettingsThatAreNotKnown_AreLogged()
    {
        using var folder = new ModelFolder();
        using var model = Model();
        model.SaveSafetensors(folder.Path, ClipLayout.HuggingFace);
        List<string> Load()
        {
            var context = new MLContext(seed: 1);
            var lines = new List<string>();
            context.Log += (_, e) => { if (e.Kind == ChannelMessageKind.Warning) lines.Add(e.RawMessage); };
            context.Model.LoadClip(folder.Path).Dispose();
            return lines;
        }
        Assert.IsEmpty(Load(), "what this package writes is known");
        foreach (var name in new[] { "config.json", "preprocessor_config.json", "tokenizer_config.json" })
            folder.Add(name, "{\"brand_new\": 1," + File.ReadAllText(folder[name])[1..]);
        var lines = Load();
        Assert.HasCount(3, lines);
        foreach (var line in lines) StringAssert.Contains(line, "has settings that are not known and were ignored: \"brand_new\".");
        var count = 0;
        var training = new MLContext(seed: 1);
        training.Log += (_, e) => count += e.RawMessage.Contains("\"brand_new\"", StringComparison.Ordinal) ? 1 : 0;
        PretrainedClip.Open(training, folder.Path, new PrefixClipOptions()).Dispose();
        Assert.AreEqual(3, count);
    }

    [TestMethod]
    [DataRow("model_max_length", "8", "texts are cut at the model's context length here, which is 16. Set it to that.")]
    [DataRow("eos_token", "\"</s>\"", "\"<|endoftext|>\" is expected, as in CLIP's vocabulary.")]
    [DataRow("bos_token", "{\"content\": \"<s>\"}", "\"<|startoftext|>\" is expected, as in CLIP's vocabulary.")]
    [DataRow("do_lower_case", "false", "which is not supported; only true is.")]
    [DataRow("padding_side", "\"left\"", "which is not supported; only right is.")]
    [DataRow("tokenizer_class", "\"BertTokenizer\"", "only CLIPTokenizer or CLIPTokenizerFast or")]
    public void LoadClip_OtherTokenizerBesideTheVocabulary_IsRefused(string name, string value, string expected)
    {
        using var folder = new ModelFolder();
        using var model = Model();
        model.SaveSafetensors(folder.Path);
        var settings = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(folder["tokenizer_config.json"]))!;
        settings[name] = System.Text.Json.Nodes.JsonNode.Parse(value);
        folder.Add("tokenizer_config.json", settings.ToJsonString());
        var message = Assert.ThrowsExactly<InvalidDataException>(() => Context.Model.LoadClip(folder.Path)).Message;
        StringAssert.Contains(message, $"tokenizer_config.json' cannot be used: \"{name}\" is ");
        StringAssert.Contains(message, expected);
    }

    [TestMethod]
    public void LoadClip_VocabularyElsewhere_NeedsItsPath()
    {
        using ModelFolder folder = new(), vocabulary = new();
        using var model = Model();
        model.SaveSafetensors(folder.Path);
        foreach (var file in new[] { "vocab.json", "merges.txt" }) File.Move(folder[file], vocabulary[file]);
        var error = Assert.ThrowsExactly<FileNotFoundException>(() => Context.Model.LoadClip(folder.Path));
        StringAssert.Contains(error.Message, $"The model's vocabulary is not in '{folder.Path}'. Put vocab.json and merges.txt, " +
            "tokenizer.json, or CLIP's bpe_simple_vocab_16e6.txt.gz there, or set VocabularyPath");
        using var loaded = Context.Model.LoadClip(folder.Path, new ClipLoadOptions { VocabularyPath = vocabulary.Path });
        CollectionAssert.AreEqual(model.EncodeTexts(Texts)[0], loaded.EncodeTexts(Texts)[0]);
        var wrong = Assert.ThrowsExactly<InvalidDataException>(
            () => Context.Model.LoadClip(folder.Path, new ClipLoadOptions
            {
                VocabularyPath = Golden.Path("tokenizer",
                "bpe_simple_vocab_16e6.txt.gz")
            }));
        StringAssert.Contains(wrong.Message, $"has 49408 tokens, the model '{folder["open_clip_model.safetensors"]}' " +
            $"{model.VocabularySize}. They do not belong together");
    }

    [TestMethod]
    public void LoadClip_TokenizerJson_EncodesAlike()
    {
        using var folder = new ModelFolder();
        using var model = Model();
        model.SaveSafetensors(folder.Path);
        using var vocabulary = JsonDocument.Parse(File.ReadAllText(folder["vocab.json"]));
        var merges = File.ReadAllLines(folder["merges.txt"]).Skip(1).ToArray();
        foreach (var file in new[] { "vocab.json", "merges.txt" }) File.Delete(folder[file]);
        foreach (var pairs in new object[] { merges, merges.Select(m => m.Split(' ')).ToArray() })
        {
            folder.Add("tokenizer.json", JsonSerializer.Serialize(new
            {
                version = "1.0", model = new
                {
                    type = "BPE",
                    end_of_word_suffix = "</w>", vocab = vocabulary.RootElement, merges = pairs
                }
            }));
            using var loaded = Context.Model.LoadClip(folder.Path);
            CollectionAssert.AreEqual(model.EncodeTexts(Texts)[2], loaded.EncodeTexts(Texts)[2]);
        }
        const string Lowercase = "its normalizer does not make texts lower-case, as CLIP's does.";
        foreach (var (setting, fault) in new[] { ("\"normalizer\": null", Lowercase), ("\"normalizer\": {\"type\": \"NFC\"}", Lowercase),
            ("\"normalizer\": [\"Lowercase\"]", "its \"ignore_merges\" is true, which is not supported; only false is.") })
        {
            folder.Add("tokenizer.json", "{" + setting + """
                , "model": {"type": "BPE", "end_of_word_suffix": "</w>", "ignore_merges": true, "vocab": {}, "merges": []}}
                """);
            StringAssert.EndsWith(Assert.ThrowsExactly<InvalidDataException>(() => Context.Model.LoadClip(folder.Path)).Message, fault);
        }
        folder.Add("tokenizer.json", """{"model": {"type": "WordPiece"}}""");
        StringAssert.EndsWith(Assert.ThrowsExactly<InvalidDataException>(() => Context.Model.LoadClip(folder.Path)).Message,
            "tokenizer.json' is no tokenizer of CLIP: its model is not byte-pair encoding with words that end in '</w>'.");
    }

    [TestMethod]
    [DataRow("{\"DatasetTypes\":[],\"Templates\":[\"{}\"],\"ImageDecoding\":\"Upright\"}", "They name no dataset type")]
    [DataRow("{\"DatasetTypes\":[{\"Name\":\"a\",\"Texts\":\"Caption\"}],\"Templates\":[\"{}\"],\"ImageDecoding\":\"Upright\"}",
        "They name 1 dataset types, the prefixes are of 2.")]
    [DataRow("{\"DatasetTypes\":[{\"Name\":\"a\",\"Texts\":9}],\"Templates\":[\"{}\"],\"ImageDecoding\":\"Upright\"}", "are damaged")]
    [DataRow("nonsense", "are damaged")]
    [DataRow(null, "The file has prefixes of 2 dataset types, but its metadata do not name them")]
    public void LoadClip_PrefixesWithoutTheirTypes_SaysWhatIsMissing(string? metadata, string expected)
    {
        using var folder = new ModelFolder();
        using var model = Model();
        model.SaveSafetensors(folder.Path);
        using (NewDisposeScope())
        using (var stream = new MemoryStream())
        {
            var all = Safetensors.Load(folder["open_clip_model.safetensors"]);
            Safetensors.Write(stream, all, metadata is null ? null : new Dictionary<string, string> { ["prefix_conditioning"] = metadata });
            folder.Add("open_clip_model.safetensors", stream.ToArray());
        }
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => Context.Model.LoadClip(folder.Path)).Message, expected);
    }

    [TestMethod]
    public void SaveSafetensors_FolderThatCannotBe_SaysSo()
    {
        using var folder = new ModelFolder().Add("file", "x");
        using var model = Model();
        StringAssert.StartsWith(Assert.ThrowsExactly<IOException>(() => model.SaveSafetensors(folder["file"])).Message,
            $"The folder '{folder["file"]}' cannot be created: ");
        Directory.CreateDirectory(folder["model.safetensors"]);
        StringAssert.StartsWith(Assert.ThrowsExactly<IOException>(() => model.SaveSafetensors(folder.Path,
            ClipLayout.HuggingFace)).Message, $"'{folder["model.safetensors"]}' cannot be written: ");
        Assert.IsEmpty(Directory.GetFiles(folder.Path).Where(f => f.Contains(".tmp", StringComparison.Ordinal)));
        Assert.AreEqual("layout", Assert.ThrowsExactly<ArgumentException>(() => model.SaveSafetensors(folder.Path,
            (ClipLayout)7)).ParamName);
        model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.SaveSafetensors(folder.Path));
    }

    [TestMethod]
    public void SaveClassEmbeddings_BothFormats_HoldTheEmbeddings()
    {
        using var folder = new ModelFolder();
        using var model = Model();
        string[] names = ["red square", "blauer Kreis", "x"];
        var empty = Context.Data.LoadFromEnumerable(Array.Empty<ImageRow>());
        using var classifier = Context.Transforms.ZeroShotClassification(model, names, PrefixSelection.For("größer")).Fit(empty);
        var expected = model.Trained.EncodeClasses(names, PromptTemplates.Of([.. model.Trained.Settings.Templates]), PrefixSelection.For(
            "größer"));

        classifier.SaveClassEmbeddings(folder["classes.npy"]);
        var npy = File.ReadAllBytes(folder["classes.npy"]);
        var header = BitConverter.ToUInt16(npy, 8);
        Assert.AreEqual(0, (10 + header) % 64);
        DataTestRows.Equal<byte>([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0], npy.AsSpan(0, 8).ToArray());
        Assert.AreEqual("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 8), }", System.Text.Encoding.ASCII.GetString(npy, 10,
            header).TrimEnd());
        CollectionAssert.AreEqual(expected, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(npy.AsSpan(10 + header)).ToArray(
            ));

        classifier.SaveClassEmbeddings(folder["classes.safetensors"]);
        using var file = Safetensors.Open(File.OpenRead(folder["classes.safetensors"]));
        using var read = zeros(3, 8);
        file.Entries["class_embeddings"].Read(read);
        CollectionAssert.AreEqual(expected, read.data<float>().ToArray());
        CollectionAssert.AreEqual(names, JsonSerializer.Deserialize<string[]>(file.Metadata["class_names"]));
        Assert.AreEqual("größer", file.Metadata["prefix"]);

        var error = Assert.ThrowsExactly<ArgumentException>(() => classifier.SaveClassEmbeddings(folder["classes.csv"]));
        StringAssert.Contains(error.Message, "has the extension '.csv'; the supported ones are '.npy' and '.safetensors'.");
        var missing = Path.Combine(folder["no-such-folder"], "classes.npy");
        StringAssert.StartsWith(Assert.ThrowsExactly<IOException>(() => classifier.SaveClassEmbeddings(missing)).Message, $"'{missing}' " +
            "cannot be written: ");
    }

    private sealed class ImageRow
    {
        [ColumnName("Image")]
        public string Image { get; set; } = "";
    }
}
