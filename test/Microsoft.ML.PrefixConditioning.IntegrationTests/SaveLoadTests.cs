using System.Globalization;
using System.IO.Compression;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>Models to files and back, in this process and in another one.</summary>
[TestClass]
public sealed class SaveLoadTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    private string _folder = "";

    [TestInitialize]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("prefix-conditioning-").FullName;

    [TestCleanup]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    public void Load_SavedModel_GivesTheSameBits()
    {
        using var loaded = (PrefixClipTransformer)Reload(Tiny.Model);
        var rows = Tiny.Data.Train(_mlContext);
        foreach (var column in new[] { "ImageEmbedding", "TextEmbedding" })
            CollectionAssert.AreEqual(Flat(Tiny.Model.Transform(rows), column), Flat(loaded.Transform(rows), column), column);
        Assert.AreEqual(Tiny.Model.LogitScale, loaded.LogitScale);
        Assert.AreEqual(Tiny.Model.Architecture, loaded.Architecture);
        Assert.AreEqual(Tiny.Model.VocabularySize, loaded.VocabularySize);
        Assert.AreSequenceEqual(Tiny.Model.DatasetTypes, loaded.DatasetTypes);
    }

    [TestMethod]
    public void Load_SavedModel_KeepsTheHistory()
    {
        using var loaded = (PrefixClipTransformer)Reload(Tiny.Model);
        Assert.IsGreaterThan(10, Tiny.Model.History.Steps.Count);
        Assert.AreSequenceEqual(Tiny.Model.History.Steps, loaded.History.Steps);
        Assert.AreSequenceEqual(Tiny.Model.History.Validations, loaded.History.Validations);
        Assert.AreEqual(Tiny.Model.History.SkippedRows, loaded.History.SkippedRows);
    }

    [TestMethod]
    public void Load_SavedClassifier_GivesTheSameBitsAndPrefix()
    {
        var test = Tiny.Data.Test(_mlContext);
        var zeroShot = _mlContext.Transforms.ZeroShotClassification(
            Tiny.Model, TinyData.ClassNames, PrefixSelection.Blend(("caption", 3), ("classification", 1))).Fit(test);
        using var loaded = (ZeroShotClassificationTransformer)Reload(zeroShot);
        CollectionAssert.AreEqual(Flat(zeroShot.Transform(test), "Score"), Flat(loaded.Transform(test), "Score"));
        Assert.AreSequenceEqual(TinyData.ClassNames, loaded.ClassNames);
        Assert.AreEqual(zeroShot.Prefix, loaded.Prefix);
        Assert.AreEqual(zeroShot.LogitScale, loaded.LogitScale);
    }

    [TestMethod]
    public void Load_ClassifierWithoutPrefix_KeepsNone()
    {
        var test = Tiny.Data.Test(_mlContext);
        using var loaded = (ZeroShotClassificationTransformer)Reload(
            _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames, PrefixSelection.None).Fit(test));
        Assert.AreEqual(PrefixSelection.None, loaded.Prefix);
    }

    [TestMethod]
    public void Load_InANewProcess_GivesTheSameBits()
    {
        var images = Tiny.Data.Images.Select(i => i.Path).Take(9).ToArray();
        var rows = _mlContext.Data.LoadFromEnumerable(images.Select(i => new CaptionedRow { Image = i, Text = "a red thing" }));
        var chain = new TransformerChain<ITransformer>(
            Tiny.Model, _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(rows));
        var path = Path.Combine(_folder, "model.zip");
        _mlContext.Model.Save(chain, rows.Schema, path);

        var (lines, exitCode) = ModelLoadingProcess.Run(path, images);

        Assert.AreEqual(0, exitCode, string.Join('\n', lines));
        var scored = chain.Transform(rows);
        string[] expected = [.. Bits("ImageEmbedding"), .. Bits("TextEmbedding"), .. Bits("Score"),
            .. scored.GetColumn<uint>("PredictedLabel").Select(k => $"PredictedLabel {k}")];
        CollectionAssert.AreEqual(expected, lines);

        IEnumerable<string> Bits(string column) => scored.GetColumn<float[]>(column).Select(vector => $"{column} " +
            string.Join(' ', vector.Select(v => BitConverter.SingleToUInt32Bits(v).ToString("x8", CultureInfo.InvariantCulture))));
    }

    [TestMethod]
    public void LoadWithDataLoader_InANewProcess_LoadsAndScoresAFolder()
    {
        var test = Tiny.Data.Test(_mlContext);
        using var zeroShot = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(test);
        var path = Path.Combine(_folder, "model.zip");
        _mlContext.Model.Save(zeroShot, _mlContext.Data.CreateImageFolderLoader(), path);

        var (lines, exitCode) = ModelLoadingProcess.Run(path, Tiny.Data.Labeled);

        Assert.AreEqual(0, exitCode, string.Join('\n', lines));
        CollectionAssert.AreEqual(
            zeroShot.Transform(test).GetColumn<uint>("PredictedLabel").Select(k => $"PredictedLabel {k}").ToArray(),
            lines.Where(l => l.StartsWith("PredictedLabel", StringComparison.Ordinal)).ToArray());
    }

    [TestMethod]
    public void Load_DamagedFileInANewProcess_SaysWhatIsWrong()
    {
        var path = SaveToFile(Tiny.Model);
        Rewrite(path, "weights.safetensors", bytes => bytes[^1] ^= 1);
        var (lines, exitCode) = ModelLoadingProcess.Run(path);
        Assert.AreEqual(1, exitCode);
        Assert.HasCount(2, lines);   // from the exception, and from MLContext.Log
        foreach (var line in lines)
            Assert.StartsWith("The part 'weights.safetensors' of the model file is not what was saved: its SHA-256 is ", line);
    }

    [TestMethod]
    public void Load_ChainOfAllTransformers_WorksAsBefore()
    {
        var images = _mlContext.Data.LoadFromEnumerable(Tiny.Data.Images.Select(i => new PathRow { Image = i.Path, Label = i.ClassName }));
        var chain = new TransformerChain<ITransformer>(
            _mlContext.Transforms.TagDatasetType("classification").Fit(images), Tiny.Model,
            _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(images),
            _mlContext.Transforms.Conversion.MapKeyToValue("Name", "PredictedLabel").Fit(
                _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(images).Transform(images)));
        using var loaded = (TransformerChain<ITransformer>)Reload(chain);
        var (before, after) = (chain.Transform(images), loaded.Transform(images));
        Assert.AreSequenceEqual(before.Schema.Select(c => $"{c.Name} {c.Type}"), after.Schema.Select(c => $"{c.Name} {c.Type}"));
        CollectionAssert.AreEqual(Flat(before, "Score"), Flat(after, "Score"));
        Assert.AreSequenceEqual(before.GetColumn<string>("Name"), after.GetColumn<string>("Name"));
        Assert.AreSequenceEqual(before.GetColumn<string>("DatasetType"), after.GetColumn<string>("DatasetType"));
        Assert.AreEqual(
            _mlContext.MulticlassClassification.Evaluate(before).LogLoss, _mlContext.MulticlassClassification.Evaluate(after).LogLoss);
    }

    [TestMethod]
    public void Save_ModelTwice_PartsAreEqualByteForByte()
    {
        var (first, second) = (Entries(Save(Tiny.Model)), Entries(Save(Tiny.Model)));
        Assert.AreSequenceEqual(first.Keys, second.Keys);
        foreach (var (name, bytes) in first) CollectionAssert.AreEqual(bytes, second[name], name);
        using var loaded = (PrefixClipTransformer)Reload(Tiny.Model);
        foreach (var (name, bytes) in Entries(Save(loaded))) CollectionAssert.AreEqual(first[name], bytes, $"{name} of the loaded model.");
    }

    [TestMethod]
    public void Save_LargerModel_GivesTheSameBits()
    {
        var architecture = ClipArchitecture.Tiny with { VisionWidth = 384, VisionHeads = 6, VisionLayers = 3, TextLayers = 1 };
        var options = Tiny.Options with { Architecture = architecture, Epochs = 1, BatchSize = 24, Optimizer = new() { WarmupSteps = 0 } };
        using var model = Tiny.Train(options);
        Assert.IsGreaterThan(4_000_000, model.ParameterCount);
        using var loaded = (PrefixClipTransformer)Reload(model);
        var rows = _mlContext.Data.TakeRows(Tiny.Data.Test(_mlContext), 4);
        CollectionAssert.AreEqual(Flat(model.Transform(rows), "ImageEmbedding"), Flat(loaded.Transform(rows), "ImageEmbedding"));
    }

    [TestMethod]
    public void Save_PathThatCannotBeWritten_IsAnErrorAndTheModelStillWorks()
    {
        Assert.ThrowsExactly<DirectoryNotFoundException>(() =>
            _mlContext.Model.Save(Tiny.Model, null, Path.Combine(_folder, "no", "such", "model.zip")));
        Assert.HasCount(1, Tiny.Model.EncodeTexts(["red"]));
    }

    [TestMethod]
    public void Load_TruncatedFile_IsRefused()
    {
        var bytes = Save(Tiny.Model);
        foreach (var length in new[] { 0, 10, bytes.Length / 2, bytes.Length - 30 })
            Assert.Throws<Exception>(() => _mlContext.Model.Load(new MemoryStream(bytes, 0, length), out _), $"{length} bytes");
    }

    [TestMethod]
    [DataRow("settings.json")]
    [DataRow("vocabulary.bin")]
    [DataRow("weights.safetensors")]
    [DataRow("history.bin")]
    public void Load_AnyByteChanged_NamesThePart(string part)
    {
        var length = Entries(Save(Tiny.Model)).Single(e => e.Key.EndsWith(part, StringComparison.Ordinal)).Value.Length;
        foreach (var at in new[] { 0, 1, 8, length / 3, length / 2, length - 1 })
        {
            var path = SaveToFile(Tiny.Model);
            Rewrite(path, part, bytes => bytes[at] ^= 0x10);
            var message = LoadFault(path);
            Assert.StartsWith($"The part '{part}' of the model file is not what was saved: its SHA-256 is ", message, $"Byte {at}.");
            Assert.EndsWith("The file was changed or damaged: restore it from a copy.", message, $"Byte {at}.");
        }
    }

    [TestMethod]
    [DataRow("settings.json")]
    [DataRow("vocabulary.bin")]
    [DataRow("weights.safetensors")]
    [DataRow("history.bin")]
    public void Load_PartMissing_NamesIt(string part)
    {
        var path = SaveToFile(Tiny.Model);
        using (var zip = ZipFile.Open(path, ZipArchiveMode.Update))
            zip.Entries.Single(e => e.Name == part).Delete();
        Assert.AreEqual(
            $"The model file has no part '{part}'. It is incomplete: save the model again, or restore the file from a copy.",
            LoadFault(path));
    }

    [TestMethod]
    public void Load_PartCutShort_NamesIt()
    {
        var path = SaveToFile(Tiny.Model);
        Replace(path, "weights.safetensors", bytes => bytes[..^100]);
        Assert.StartsWith("The part 'weights.safetensors' of the model file is not what was saved", LoadFault(path));
    }

    [TestMethod]
    public void Load_AnyByteOfTheHeaderChanged_IsRefusedOrHarmless()
    {
        var bytes = Save(Tiny.Model);
        var expected = Tiny.Model.EncodeTexts(["red"])[0];
        var length = Entries(bytes).Single(IsHeader).Value.Length;
        for (var at = 0; at < length; at += 11)
        {
            var path = SaveToFile(Tiny.Model);
            using (var zip = ZipFile.Open(path, ZipArchiveMode.Update))
                Change(zip.Entries.Single(e => IsHeader(new(e.FullName, []))), b => { b[at] ^= 0x10; return b; });
            ITransformer loaded;
            try
            {
                loaded = _mlContext.Model.Load(path, out _);
            }
            catch (Exception e)
            {
                Assert.IsNotInstanceOfType<NullReferenceException>(e.GetBaseException(), $"Byte {at}.");
                Assert.IsNotInstanceOfType<OutOfMemoryException>(e.GetBaseException(), $"Byte {at}.");
                continue;
            }
            using var model = (PrefixClipTransformer)loaded;
            CollectionAssert.AreEqual(expected, model.EncodeTexts(["red"])[0], $"Byte {at}.");
        }

        static bool IsHeader(KeyValuePair<string, byte[]> entry) => entry.Key.EndsWith("Model.key", StringComparison.Ordinal);
    }

    private ITransformer Reload(ITransformer model) => new MLContext().Model.Load(new MemoryStream(Save(model)), out _);

    private byte[] Save(ITransformer model)
    {
        using var stream = new MemoryStream();
        _mlContext.Model.Save(model, Tiny.Data.Train(_mlContext).Schema, stream);
        return stream.ToArray();
    }

    private string SaveToFile(ITransformer model)
    {
        var path = Path.Combine(_folder, "model.zip");
        File.WriteAllBytes(path, Save(model));
        return path;
    }

    /// <summary>The text of the exception inside ML.NET's own, which must be about bad data.</summary>
    private string LoadFault(string path)
    {
        var error = Assert.Throws<Exception>(() => _mlContext.Model.Load(path, out _));
        while (error is System.Reflection.TargetInvocationException { InnerException: { } inner }) error = inner;
        Assert.IsInstanceOfType<InvalidDataException>(error, error.ToString());
        return error.Message;
    }

    private static float[] Flat(IDataView view, string column) => [.. view.GetColumn<float[]>(column).SelectMany(v => v)];

    private static SortedDictionary<string, byte[]> Entries(byte[] zipped)
    {
        using var zip = new ZipArchive(new MemoryStream(zipped));
        var entries = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var entry in zip.Entries) entries.Add(entry.FullName, Read(entry));
        return entries;
    }

    private static byte[] Read(ZipArchiveEntry entry)
    {
        using var stream = entry.Open();
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        return memory.ToArray();
    }

    private static void Rewrite(string path, string part, Action<byte[]> change) => Replace(path, part, bytes =>
    {
        change(bytes);
        return bytes;
    });

    private static void Replace(string path, string part, Func<byte[], byte[]> change)
    {
        using var zip = ZipFile.Open(path, ZipArchiveMode.Update);
        Change(zip.Entries.Single(e => e.Name == part), change);
    }

    private static void Change(ZipArchiveEntry entry, Func<byte[], byte[]> change)
    {
        var bytes = change(Read(entry));
        using var stream = entry.Open();
        stream.SetLength(0);
        stream.Write(bytes);
    }
}
