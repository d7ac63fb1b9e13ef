using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ModelFileTests
{
    private PrefixClipTransformer _model = null!;
    private SavedModel _saved = null!;

    [TestInitialize]
    public void Save()
    {
        _model = ScoringModel.Transformer();
        _saved = new SavedModel(_model);
    }

    [TestCleanup]
    public void DisposeModel() => _model.Dispose();

    [TestMethod]
    public void Read_WhatWasWritten_HasSettingsVocabularyWeightsAndHistory()
    {
        using var loaded = (PrefixClipTransformer)_saved.Load(out _);
        CollectionAssert.AreEqual(_model.EncodeTexts(["a red thing"])[0], loaded.EncodeTexts(["a red thing"])[0]);
        Assert.AreEqual(_model.Trained.Settings.Architecture, loaded.Architecture);
        Assert.AreSequenceEqual(_model.Trained.Settings.Templates, loaded.Trained.Settings.Templates);
        Assert.AreEqual(_model.Trained.Settings.ImageDecoding, loaded.Trained.Settings.ImageDecoding);
        Assert.AreEqual(_model.Trained.Settings.BadRows, loaded.Trained.Settings.BadRows);
        Assert.AreSequenceEqual(_model.History.Steps, loaded.History.Steps);
        Assert.AreSequenceEqual(_model.History.Validations, loaded.History.Validations);
        Assert.AreEqual(3, loaded.History.SkippedRows);
    }

    [TestMethod]
    public void Read_ModelThatDecodesAtAReducedScale_StillDoes()
    {
        var options = new PrefixClipOptions { Architecture = ScoringModel.Architecture, ImageDecoding = ImageDecoding.Scaled };
        using var model = new PrefixClipTransformer(new MLContext(1), ScoringModel.Create(options: options));
        using var loaded = (PrefixClipTransformer)new SavedModel(model).Load(out _);
        Assert.AreEqual(ImageDecoding.Scaled, loaded.Trained.Settings.ImageDecoding);
    }

    [TestMethod]
    [DataRow(7)]
    [DataRow(0)]
    [DataRow(-1)]
    public void Read_OtherFormatVersion_SaysWhichAreRead(int version) => Assert.AreEqual(
        $"The model has format version {version}; this version of the package reads 1 to 6. Update Microsoft.ML.PrefixConditioning to " +
            $"load it.",
        _saved.WithVersion(version).Fault());

    [TestMethod]
    public void Read_SettingsAbove64Megabytes_AreRefusedUnread() => Assert.Contains(
        "The part 'settings.json' of the model file has 67108865 bytes; at most 67108864 are read.",
        _saved.WithPart("settings.json", new byte[(64 << 20) + 1]).Fault());

    [TestMethod]
    public void Read_FileOfVersion1_HasClipsMeanAndDeviation()
    {
        var json = JsonNode.Parse(_saved.Part("settings.json"))!.AsObject();
        Assert.IsTrue(json.Remove("Normalisation"));   // new in version 2; all else is as it was
        using var loaded = (PrefixClipTransformer)_saved.WithPart("settings.json",
            Encoding.UTF8.GetBytes(json.ToJsonString())).WithVersion(1).Load(out _);
        Assert.AreEqual(ImageNormalization.Clip, loaded.Trained.Settings.Normalization);
        CollectionAssert.AreEqual(_model.EncodeTexts(["a red thing"])[0], loaded.EncodeTexts(["a red thing"])[0]);
    }

    [TestMethod]
    public void Read_FileOfVersion2_HasNoSummaries()
    {
        using var loaded = (PrefixClipTransformer)_saved.WithVersion(2).Load(out _);
        Assert.IsNull(loaded.Trained.Summaries);
        CollectionAssert.AreEqual(_model.EncodeTexts(["a red thing"])[0], loaded.EncodeTexts(["a red thing"])[0]);
    }

    [TestMethod]
    public void Read_ModelWithSummaries_HasThem()
    {
        using var loaded = (PrefixClipTransformer)WithSummaries().Load(out _);
        Assert.AreEqual(5, loaded.Trained.Summaries![1].Count);
        Assert.AreEqual(0.25, loaded.Trained.Summaries[1].Mean[7]);
        Assert.AreEqual(0.5, loaded.Trained.Summaries[0].Variance[0]);
        CollectionAssert.AreEqual(WithSummaries().Part("summaries.bin"), new SavedModel(loaded).Part("summaries.bin"));
    }

    [TestMethod]
    public void Read_DamagedSummaries_NamesThePart()
    {
        var saved = WithSummaries();
        var part = saved.Part("summaries.bin");
        Assert.StartsWith("The part 'summaries.bin' of the model file cannot be read: ",
            saved.WithPart("summaries.bin", part[..^1]).Fault());
        part[0] = 3;
        Assert.AreEqual("The part 'summaries.bin' of the model file cannot be read: It has summaries of 3 dataset types, the model has 2.",
            saved.WithPart("summaries.bin", part).Fault());
    }

    [TestMethod]
    public void Read_VocabularyOfAnotherSize_SaysBothSizes()
    {
        var other = ClipTokenizer.Learn(["some other words entirely"], 530);
        using var bytes = new MemoryStream();
        other.Save(bytes);
        Assert.AreEqual(
            $"The model's settings name {_model.VocabularySize} tokens, its vocabulary has {other.VocabularySize}. " +
            "The file was changed or damaged: restore it from a copy.",
            _saved.WithPart("vocabulary.bin", bytes.ToArray()).Fault());
    }

    [TestMethod]
    public void Read_SettingsOfAnotherArchitecture_NamesTheFirstTensorThatDoesNotFit()
    {
        var fault = WithSettings("\"TextWidth\": 16", "\"TextWidth\": 32").Fault();
        Assert.StartsWith("The part 'weights.safetensors' of the model file cannot be read: Tensor '", fault);
        Assert.Contains("expected Float32 [", fault);
    }

    [TestMethod]
    public void Read_SettingsWithMoreLayers_NamesTheMissingTensors()
    {
        var fault = WithSettings("\"TextLayers\": 1", "\"TextLayers\": 2").Fault();
        Assert.StartsWith("The part 'weights.safetensors' of the model file cannot be read: The weights lack '", fault);
        Assert.EndsWith("the file does not fit this architecture.", fault);
    }

    [TestMethod]
    [DataRow("\"ImageSize\": 16", "\"ImageSize\": 17", "the image size must be a multiple of the patch size.")]
    [DataRow("\"PrefixLength\"", "\"SomethingNew\"", "SomethingNew")]
    [DataRow("{", "[", "The model's settings are damaged: ")]
    public void Read_SettingsThatMakeNoSense_SaysWhatIsWrong(string text, string replacement, string expected)
    {
        var fault = WithSettings(text, replacement).Fault();
        Assert.StartsWith("The part 'settings.json' of the model file cannot be read: The model's settings are damaged: ", fault);
        Assert.Contains(expected, fault);
    }

    [TestMethod]
    [DataRow("Architecture")]
    [DataRow("DatasetTypes")]
    [DataRow("Templates")]
    public void Read_SettingThatIsNull_NamesIt(string setting)
    {
        var json = Encoding.UTF8.GetString(_saved.Part("settings.json"));
        var changed = Regex.Replace(json, $"\"{setting}\": (\\{{[^}}]*\\}}|\\[[^\\]]*\\])", $"\"{setting}\": null");
        Assert.AreNotEqual(json, changed);
        var fault = _saved.WithPart("settings.json", Encoding.UTF8.GetBytes(changed)).Fault();
        Assert.StartsWith("The part 'settings.json' of the model file cannot be read: The model's settings are damaged: ", fault);
        Assert.Contains(setting, fault);
    }

    [TestMethod]
    public void Read_HistoryCutShort_SaysWhichPart() => Assert.StartsWith(
        "The part 'history.bin' of the model file cannot be read: ",
        _saved.WithPart("history.bin", _saved.Part("history.bin")[..^2]).Fault());

    [TestMethod]
    public void Read_ListCutShort_IsRefused()
    {
        Assert.StartsWith("The model file's list of parts cannot be read: ", CutList(8 + 5).Fault());
        Assert.StartsWith("The part 'history.bin' of the model file is not what was saved: its SHA-256 is ", CutList(174).Fault());
        Assert.StartsWith("The model file has no part 'settings.json'.", _saved.WithHeader(WithoutParts).Fault());

        // ML.NET's header says how long the list is; so its end is overwritten, not taken away.
        SavedModel CutList(int kept) => _saved.WithHeader(header =>
        {
            header.AsSpan((SavedModel.StartOfList(header) + kept)..SavedModel.EndOfList(header)).Fill(0xFF);
            return header;
        });

        static byte[] WithoutParts(byte[] header)
        {
            header[SavedModel.StartOfList(header) + 4] = 0;
            return header;
        }
    }

    [TestMethod]
    public void Write_Header_NamesTheAssemblyWithoutItsVersion() => _saved.WithHeader(header =>
    {
        var text = Encoding.UTF8.GetString(header).Replace("\0", "", StringComparison.Ordinal);   // UTF-16
        Assert.Contains("Microsoft.ML.PrefixConditioning", text);
        Assert.DoesNotContain("Version=", text);
        return header;
    });

    private static SavedModel WithSummaries()
    {
        var plain = ScoringModel.Create();
        EmbeddingSummary Summary(long count) =>
            new(count, [.. Enumerable.Repeat(0.25, 8)], [.. Enumerable.Repeat(0.5, 8)]);
        TrainedModel? model = null;
        plain.Lend(network => model = new TrainedModel(network, plain.Tokenizer, plain.Settings, plain.History)
        {
            Summaries = [Summary(4), Summary(5)],
        });
        using var transformer = new PrefixClipTransformer(new MLContext(1), model!);
        return new SavedModel(transformer);
    }

    private SavedModel WithSettings(string text, string replacement)
    {
        var json = Encoding.UTF8.GetString(_saved.Part("settings.json"));
        var at = json.IndexOf(text, StringComparison.Ordinal);
        Assert.IsGreaterThanOrEqualTo(0, at, $"{text} is not in {json}");
        return _saved.WithPart("settings.json", Encoding.UTF8.GetBytes(json.Remove(at, text.Length).Insert(at, replacement)));
    }
}
