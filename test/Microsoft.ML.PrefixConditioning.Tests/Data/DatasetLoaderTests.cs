using System.IO.Compression;
using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Data loaders: saved with a model or alone, and given other data.</summary>
[TestClass]
public sealed class DatasetLoaderTests : IDisposable
{
    private static readonly string[] ClassNames = ["red", "blue"];

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly DataTestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void Load_SavedFolderLoader_KeepsEverySetting()
    {
        _folder.Write("photos/n1/1.png");
        _folder.Write("photos/n2/2.png");
        var names = new Dictionary<string, string> { ["n1"] = "tench", ["n9"] = "shark" };

        var loader = Reload(_mlContext.Data.CreateImageFolderLoader("animals", names, "Picture", "Name", "Kind", "Class"));

        SameRows(
            _mlContext.Data.LoadImageFolder(_folder["photos"], "animals", names, "Picture", "Name", "Kind", "Class"),
            loader.Load(_folder["photos"]));
    }

    [TestMethod]
    public void Load_SavedCaptionsLoader_KeepsNamedFieldsAndRoot()
    {
        var table = _folder.Write("a.csv", "id,pic,words\n1,../1.png,one\n2,2.png,two\n");
        Directory.CreateDirectory(_folder["images"]);

        var loader = Reload(_mlContext.Data.CreateImageCaptionsLoader(
            _folder["images"], imageField: "pic", captionField: "words", datasetType: "web", allowOutsideRoot: true));

        SameRows(
            _mlContext.Data.LoadImageCaptions(
                table, _folder["images"], imageField: "pic", captionField: "words", datasetType: "web", allowOutsideRoot: true),
            loader.Load(table));
    }

    [TestMethod]
    public void Load_SavedCaptionsLoader_KeepsIndexesAndSeparator()
    {
        var table = _folder.Write("a.txt", "1.png|x|one\n2.png|y|two\n");

        var loader = Reload(_mlContext.Data.CreateImageCaptionsLoader(
            imageIndex: 0, captionIndex: 2, separator: '|', imageColumnName: "Picture", labelColumnName: "Class"));

        SameRows(
            _mlContext.Data.LoadImageCaptions(
                table, imageIndex: 0, captionIndex: 2, separator: '|', imageColumnName: "Picture", labelColumnName: "Class"),
            loader.Load(table));
    }

    [TestMethod]
    public void Load_SavedCaptionsLoader_StillConfinesRows()
    {
        var table = _folder.Write("set/a.tsv", "image\tcaption\n../1.png\tone\n");

        var loader = Reload(_mlContext.Data.CreateImageCaptionsLoader());

        Assert.Contains("outside of the image root", Assert.ThrowsExactly<InvalidDataException>(() => loader.Load(table)).Message);
    }

    [TestMethod]
    public void GetOutputSchema_NoFiles_IsThatOfTheData()
    {
        _folder.Write("photos/cat/1.png");
        var loader = _mlContext.Data.CreateImageFolderLoader(imageColumnName: "Picture");

        var schema = loader.GetOutputSchema();

        DataTestRows.Equal(["Picture String", "Text String", "DatasetType String", "Label String"], Columns(schema).ToArray());
        CollectionAssert.AreEqual(Columns(loader.Load(_folder["photos"]).Schema).ToArray(), Columns(schema).ToArray());

        static IEnumerable<string> Columns(DataViewSchema schema) => schema.Select(c => $"{c.Name} {c.Type}");
    }

    [TestMethod]
    public void LoadWithDataLoader_ModelSavedWithItsLoader_ScoresAnotherFolder()
    {
        Draw("first");
        using var model = ScoringModel.Transformer();
        var loader = _mlContext.Data.CreateImageFolderLoader();
        using var classifier = _mlContext.Transforms.ZeroShotClassification(model, ClassNames).Fit(loader.Load(_folder["first"]));
        var file = _folder["model.zip"];
        _mlContext.Model.Save(classifier, loader, file);
        Draw("second");

        using var loaded = (ZeroShotClassificationTransformer)new MLContext().Model.LoadWithDataLoader(file, out var savedLoader);
        var scored = loaded.Transform(savedLoader.Load(_folder["second"]));

        CollectionAssert.AreEqual(
            Scores(classifier.Transform(_mlContext.Data.LoadImageFolder(_folder["second"]))), Scores(scored));
        DataTestRows.Equal([_folder["second/blue/1.png"], _folder["second/red/0.png"]], scored.Texts("Image"));
        using var withoutLoader = (ZeroShotClassificationTransformer)new MLContext().Model.Load(file, out var schema);
        DataTestRows.Equal(["Image", "Text", "DatasetType", "Label"], schema.Select(c => c.Name));

        static float[] Scores(IDataView view) => [.. view.GetColumn<float[]>("Score").SelectMany(s => s)];
    }

    [TestMethod]
    public void Append_Estimators_FitAndSaveFromOnePath()
    {
        Draw("first");
        Draw("second");
        var pipeline = _mlContext.Data.CreateImageFolderLoader()
            .Append(_mlContext.Transforms.PrefixClip(new PrefixClipOptions
            {
                Architecture = ScoringModel.Architecture, VocabularySize = 520, BatchSize = 2, Epochs = 1, Device = ComputeDevice.Cpu,
            }))
            .Append(_mlContext.Transforms.ZeroShotClassification(ClassNames));

        var fitted = pipeline.Fit(new MultiFileSource(_folder["first"]));
        var scored = Reload(fitted).Load(_folder["second"]);

        DataTestRows.Equal([2, 2], scored.GetColumn<float[]>("Score").Select(s => s.Length));
        CollectionAssert.AreEqual(
            fitted.Load(_folder["second"]).GetColumn<float[]>("Score").SelectMany(s => s).ToArray(),
            scored.GetColumn<float[]>("Score").SelectMany(s => s).ToArray());
    }

    [TestMethod]
    public void Load_SourceIsNotOnePath_SaysWhatIsExpected()
    {
        var loader = _mlContext.Data.CreateImageFolderLoader();
        Assert.ThrowsExactly<ArgumentNullException>(() => loader.Load((IMultiStreamSource)null!));
        Says("The source has no path. ", new MultiFileSource());
        Says("The source has 2 paths ('a/', 'b/'), expected one. ", new MultiFileSource("a/", "b/"));
        Says("The source is a stream without a path, ", new StreamSource());
        Assert.ThrowsExactly<ArgumentException>(() => loader.Load(""));

        void Says(string expected, IMultiStreamSource source) =>
            Assert.StartsWith(expected, Assert.ThrowsExactly<ArgumentException>(() => loader.Load(source)).Message);
    }

    [TestMethod]
    public void Load_PathDoesNotExist_SaysWhichPartIsMissing()
    {
        var (folders, captions) = (_mlContext.Data.CreateImageFolderLoader(), _mlContext.Data.CreateImageCaptionsLoader());
        var missing = Assert.ThrowsExactly<DirectoryNotFoundException>(() => folders.Load(_folder["photos"]));
        Assert.StartsWith($"There is no image folder '{_folder["photos"]}'.", missing.Message);
        Assert.ThrowsExactly<FileNotFoundException>(() => captions.Load(_folder["a.tsv"]));
    }

    [TestMethod]
    public void Create_SettingsThatCannotBe_AreRefusedAtOnce()
    {
        var empty = new Dictionary<string, string> { ["n1"] = " " };
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Data.CreateImageFolderLoader(classNames: empty));
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Data.CreateImageFolderLoader(imageColumnName: "Text"));
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Data.CreateImageFolderLoader(datasetType: ""));
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Data.CreateImageCaptionsLoader(imageIndex: 0));
    }

    [TestMethod]
    public void LoadWithDataLoader_DamagedLoader_SaysWhatIsWrong()
    {
        var saved = Save(_mlContext.Data.CreateImageFolderLoader());
        var context = new MLContext();
        var warnings = context.Warnings();

        var error = Assert.ThrowsExactly<InvalidOperationException>(() =>
            context.Model.LoadWithDataLoader(new MemoryStream(Damaged(saved)), out _));

        var fault = error.GetBaseException();
        Assert.IsInstanceOfType<InvalidDataException>(fault);
        Assert.StartsWith("The data loader in the model file is not what was saved: its SHA-256 is ", fault.Message);
        Assert.Contains(fault.Message, warnings);
    }

    [TestMethod]
    [DataRow("{}")]
    [DataRow("{\"$type\":\"ImageFolder\"}")]
    [DataRow("{\"$type\":\"Script\",\"DatasetType\":\"a\"}")]
    [DataRow("{\"$type\":\"ImageFolder\",\"ClassNames\":null,\"DatasetType\":\"\"," +
        "\"Columns\":{\"Image\":\"a\",\"Text\":\"b\",\"DatasetType\":\"c\",\"Label\":\"d\"}}")]
    [DataRow("null")]
    public void ReadJson_SettingsThatCannotBe_AreRefused(string json)
    {
        var envelope = new Envelope("IMTXSET", 1, "data loader");
        var stream = new MemoryStream();
        envelope.Write(stream, 1, writer => writer.Write(Encoding.UTF8.GetBytes(json)));
        stream.Position = 0;
        var error = Assert.ThrowsExactly<InvalidDataException>(() => envelope.ReadJson<DatasetSource>(stream, source => source.Check()));
        Assert.StartsWith("The data loader in the model file is damaged: ", error.Message);
    }

    private void Draw(string folder)
    {
        foreach (var (name, i) in ClassNames.Select((n, i) => (n, i)))
            _folder.Write($"{folder}/{name}/{i}.png", ScoringModel.Encoded(i + folder.Length));
    }

    private byte[] Save<T>(IDataLoader<T> loader)
    {
        using var stream = new MemoryStream();
        _mlContext.Model.Save(null, loader, stream);
        return stream.ToArray();
    }

    /// <summary>Saves a loader and loads it in a context of its own.</summary>
    private IDataLoader<IMultiStreamSource> Reload(IDataLoader<IMultiStreamSource> loader)
    {
        new MLContext().Model.LoadWithDataLoader(new MemoryStream(Save(loader)), out var loaded);
        return loaded;
    }

    /// <summary>Changes a byte of the loader's settings.</summary>
    private static byte[] Damaged(byte[] saved)
    {
        var memory = new MemoryStream();
        memory.Write(saved);
        using (var zip = new ZipArchive(memory, ZipArchiveMode.Update, leaveOpen: true))
        {
            using var part = zip.Entries.Single(e => e.FullName is "Loader/Model.key" or @"Loader\Model.key").Open();
            var bytes = new byte[part.Length];
            part.ReadExactly(bytes);
            bytes[bytes.AsSpan().IndexOf("classification"u8)] ^= 1;
            part.Position = 0;
            part.Write(bytes);
        }
        return memory.ToArray();
    }

    private static void SameRows(IDataView expected, IDataView actual)
    {
        DataTestRows.Equal(expected.Schema.Select(c => $"{c.Name} {c.Type}").ToArray(), actual.Schema.Select(c => $"{c.Name} {c.Type}"));
        foreach (var column in expected.Schema)
            CollectionAssert.AreEqual(expected.Texts(column.Name), actual.Texts(column.Name), column.Name);
    }

    private sealed class StreamSource : IMultiStreamSource
    {
        public int Count => 1;

        public string? GetPathOrNull(int index) => null;

        public Stream Open(int index) => new MemoryStream();

        public TextReader OpenTextReader(int index) => new StreamReader(Open(index));
    }
}
