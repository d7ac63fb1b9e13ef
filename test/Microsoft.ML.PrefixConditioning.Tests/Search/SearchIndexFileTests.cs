using System.Security.Cryptography;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Indexes in files.</summary>
[TestClass]
public sealed class SearchIndexFileTests
{
    private const int Header = 60;

    private static PrefixClipTransformer _model = null!;

    [ClassInitialize]
    public static void Create(TestContext _) => _model = ScoringModel.Transformer();

    [ClassCleanup]
    public static void Free() => _model.Dispose();

    [TestMethod]
    public void Load_SavedIndex_FindsTheSameBitByBit()
    {
        using var folder = new DataTestFolder();
        var index = EmbeddedRow.Index(_model, EmbeddedRow.Random(5_000));
        index.AddImages(new MLContext().Data.LoadFromEnumerable(
            [new EmbeddedRow { Embedding = EmbeddedRow.Random(1, seed: 3)[0], Key = "é \ud800 \ud83c\udf4e" }]), "Embedding", "Key");

        index.Save(folder["a.index"]);
        var again = ClipSearchIndex.Load(folder["a.index"], _model);
        again.Save(folder["b.index"]);

        Assert.AreEqual(5_001, again.Count);
        CollectionAssert.AreEqual(File.ReadAllBytes(folder["a.index"]), File.ReadAllBytes(folder["b.index"]));
        CollectionAssert.AreEqual(index.Search("a red thing", 100).ToArray(), again.Search("a red thing", 100).ToArray());
        Assert.AreEqual("é \ud800 \ud83c\udf4e", again.Search(EmbeddedRow.Random(1, seed: 3), top: 1)[0][0].Key);
        Assert.AreEqual(0, again.AddImages(EmbeddedRow.View(EmbeddedRow.Random(2)), "Embedding", "Key"), "Their keys are known.");
        Assert.HasCount(2, Directory.GetFiles(folder.Root), "No temporary file is left.");
    }

    [TestMethod]
    public void Load_EmptyIndex_IsEmpty()
    {
        using var folder = new DataTestFolder();

        new ClipSearchIndex(_model).Save(folder["a.index"]);

        Assert.AreEqual(0, ClipSearchIndex.Load(folder["a.index"], _model).Count);
    }

    [TestMethod]
    public void Load_AnotherModel_IsRefused()
    {
        using var folder = new DataTestFolder();
        EmbeddedRow.Index(_model, EmbeddedRow.Random(3)).Save(folder["a.index"]);
        using var wide = new PrefixClipTransformer(new MLContext(), ScoringModel.Create(options: new PrefixClipOptions
        {
            Architecture = ScoringModel.Architecture with { EmbeddingSize = 4 },
        }));
        using var changed = new PrefixClipTransformer(new MLContext(), ScoringModel.Create());
        changed.Trained.Lend(network =>
        {
            using var noGrad = no_grad();
            using var scope = NewDisposeScope();
            network.Weights[^1].Value.view(-1).narrow(0, 0, 1).mul_(1.01);
        });

        Assert.Contains("vectors of 8 numbers; this model's embeddings have 4",
            Assert.ThrowsExactly<ArgumentException>(() => ClipSearchIndex.Load(folder["a.index"], wide)).Message);
        Assert.Contains("was made with another model",
            Assert.ThrowsExactly<ArgumentException>(() => ClipSearchIndex.Load(folder["a.index"], changed)).Message);
    }

    [TestMethod]
    public void Load_TheSameModelElsewhere_IsAccepted()
    {
        using var folder = new DataTestFolder();
        EmbeddedRow.Index(_model, EmbeddedRow.Random(3)).Save(folder["a.index"]);
        var mlContext = new MLContext();
        _model.SaveSafetensors(folder["weights"]);
        using var published = mlContext.Model.LoadClip(folder["weights"]);
        using var rounded = _model.WithPrecision(Precision.BFloat16);

        foreach (var model in new[] { published, rounded }) Assert.AreEqual(3, ClipSearchIndex.Load(folder["a.index"], model).Count);
    }

    [TestMethod]
    public void Identity_OfAModel_LeavesNoTensors()
    {
        var before = LiveTensors.Count();

        var identity = ModelIdentity.Of(_model.Trained);

        Assert.AreEqual(before, LiveTensors.Count());
        CollectionAssert.AreEqual(identity, ModelIdentity.Of(_model.Trained));
    }

    [TestMethod]
    public void Load_AnyChangedByte_IsAnError()
    {
        using var folder = new DataTestFolder();
        EmbeddedRow.Index(_model, EmbeddedRow.Random(3)).Save(folder["a.index"]);
        var valid = File.ReadAllBytes(folder["a.index"]);
        Assert.HasCount(Header + 3 * (4 + 2) + 3 * 8 * 4 + 32, valid);

        for (var i = 0; i < valid.Length; i++)
        {
            byte[] damaged = [.. valid];
            damaged[i] ^= 1;
            folder.Write("b.index", damaged);
            var fault = Assert.ThrowsExactly<InvalidDataException>(() => ClipSearchIndex.Load(folder["b.index"], _model), $"Byte {i}");
            Assert.IsTrue(fault.Message.Contains("b.index", StringComparison.Ordinal) || i == 7, fault.Message);
        }
    }

    [TestMethod]
    public void Load_TruncatedOrLongerFile_IsAnError()
    {
        using var folder = new DataTestFolder();
        EmbeddedRow.Index(_model, EmbeddedRow.Random(3)).Save(folder["a.index"]);
        var valid = File.ReadAllBytes(folder["a.index"]);

        for (var length = 0; length < valid.Length; length++)
        {
            folder.Write("b.index", valid[..length]);
            var fault = Assert.ThrowsExactly<InvalidDataException>(() => ClipSearchIndex.Load(folder["b.index"], _model), $"{length}");
            Assert.Contains(length < 7 ? "is not a search index" : "truncated", fault.Message);
        }
        folder.Write("b.index", [.. valid, 0]);
        Assert.ThrowsExactly<InvalidDataException>(() => ClipSearchIndex.Load(folder["b.index"], _model));
    }

    [TestMethod]
    [DataRow(Header, (byte)200, "length 200")]              // the first key's length
    [DataRow(Header + 4 + 2, (byte)0, "follow the last key")]
    [DataRow(7, (byte)2, "format version 2")]
    public void Load_WrongContentWithTheRightHash_SaysWhatIsWrong(int place, byte value, string expected)
    {
        using var folder = new DataTestFolder();
        EmbeddedRow.Index(_model, EmbeddedRow.Random(2)).Save(folder["a.index"]);
        var bytes = File.ReadAllBytes(folder["a.index"]);

        bytes[place] = value;
        SHA256.HashData(bytes.AsSpan(0, bytes.Length - 32), bytes.AsSpan(bytes.Length - 32));
        folder.Write("b.index", bytes);

        Assert.Contains(expected,
            Assert.ThrowsExactly<InvalidDataException>(() => ClipSearchIndex.Load(folder["b.index"], _model)).Message);
    }

    [TestMethod]
    public void Load_NoIndex_SaysSo()
    {
        using var folder = new DataTestFolder();
        folder.Write("a.index", "a text that is no index");

        Assert.Contains("is not a search index: it does not begin with 'PRFXIDX'",
            Assert.ThrowsExactly<InvalidDataException>(() => ClipSearchIndex.Load(folder["a.index"], _model)).Message);
        Assert.ThrowsExactly<FileNotFoundException>(() => ClipSearchIndex.Load(folder["b.index"], _model));
        Assert.ThrowsExactly<IOException>(() => new ClipSearchIndex(_model).Save(folder["missing/b.index"]));
    }
}
