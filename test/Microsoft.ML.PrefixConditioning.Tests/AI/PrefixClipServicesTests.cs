using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PrefixClipServicesTests
{
    private static readonly string[] Texts = ["a red thing"];

    private readonly PrefixClipTransformer _model = ScoringModel.Transformer();
    private readonly string _folder = Directory.CreateTempSubdirectory("clip-services-").FullName;

    public required TestContext TestContext { get; set; }

    [TestCleanup]
    public void CleanUp()
    {
        _model.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [TestMethod]
    public async Task Add_Instance_RegistersItAndBothGenerators()
    {
        using (var provider = new ServiceCollection().AddPrefixClip(_model, PrefixSelection.None, "mine").BuildServiceProvider())
        {
            Assert.AreSame(_model, provider.GetRequiredService<PrefixClipTransformer>());
            await HasEmbeddings(provider, PrefixSelection.None);
            var images = provider.GetRequiredService<IEmbeddingGenerator<DataContent, Embedding<float>>>();
            Assert.AreEqual("mine", images.GetService<EmbeddingGeneratorMetadata>()!.DefaultModelId);
        }
        Assert.HasCount(1, _model.EncodeTexts(Texts));   // the container does not own it
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Add_SavedModel_IsLoadedOnceAndDisposedByTheContainer(bool isPipeline)
    {
        var path = Path.Combine(_folder, "model.zip");
        new MLContext(1).Model.Save(isPipeline ? new Data.TransformerChain<ITransformer>(_model) : _model, null, path);
        PrefixClipTransformer loaded;
        using (var provider = new ServiceCollection().AddPrefixClip(path).BuildServiceProvider())
        {
            await HasEmbeddings(provider, PrefixSelection.Caption);
            loaded = provider.GetRequiredService<PrefixClipTransformer>();
            Assert.AreSame(loaded, provider.GetRequiredService<IEmbeddingGenerator<DataContent, Embedding<float>>>()
                .GetService<PrefixClipTransformer>());
        }
        Assert.ThrowsExactly<ObjectDisposedException>(() => loaded.EncodeTexts(Texts));
    }

    [TestMethod]
    public async Task Add_FolderOfWeights_IsLoaded()
    {
        _model.SaveSafetensors(_folder);

        using var provider = new ServiceCollection().AddPrefixClip(_folder).BuildServiceProvider();

        await HasEmbeddings(provider, PrefixSelection.Caption);
    }

    [TestMethod]
    [DataRow("models/clip.zip")]
    [DataRow("no/such/folder")]
    public void Add_MissingFiles_FailsAtOnce(string path)
    {
        var fault = Assert.ThrowsExactly<FileNotFoundException>(() => new ServiceCollection().AddPrefixClip(path));

        Assert.StartsWith($"There is no model at '{Path.GetFullPath(path)}'. Pass a saved model", fault.Message);
    }

    [TestMethod]
    public void Add_OptionsForASavedModel_AreRefused()
    {
        var path = Path.Combine(_folder, "model.zip");
        File.WriteAllBytes(path, []);

        Assert.ThrowsExactly<ArgumentException>(() => new ServiceCollection().AddPrefixClip(path, options: new ClipLoadOptions()));
    }

    [TestMethod]
    public void Resolve_SavedModelOfAnotherKind_SaysWhatItIs()
    {
        var (mlContext, path) = (new MLContext(1), Path.Combine(_folder, "other.zip"));
        var rows = mlContext.Data.LoadFromEnumerable([new { Number = 1f }]);
        mlContext.Model.Save(mlContext.Transforms.CopyColumns("Copy", "Number").Fit(rows), rows.Schema, path);
        using var provider = new ServiceCollection().AddPrefixClip(path).BuildServiceProvider();

        var fault = Assert.ThrowsExactly<InvalidDataException>(provider.GetRequiredService<PrefixClipTransformer>);

        Assert.Contains("without a PrefixClipTransformer", fault.Message);
    }

    private async Task HasEmbeddings(IServiceProvider provider, PrefixSelection prefix)
    {
        var generated = await provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>().GenerateAsync(Texts,
            cancellationToken: TestContext.CancellationToken);
        Assert.AreSequenceEqual(_model.EncodeTexts(Texts, prefix)[0], generated.Single().Vector.ToArray());
    }
}
