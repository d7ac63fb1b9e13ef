using Microsoft.Extensions.AI;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class EmbeddingGeneratorTests
{
    private static readonly PrefixSelection Classification = PrefixSelection.For("classification");

    private readonly PrefixClipTransformer _model = ScoringModel.Transformer();

    public required TestContext TestContext { get; set; }

    private CancellationToken Stop => TestContext.CancellationToken;

    private IEmbeddingGenerator<string, Embedding<float>> Texts => _model.AsTextEmbeddingGenerator();

    private IEmbeddingGenerator<DataContent, Embedding<float>> Images => _model.AsImageEmbeddingGenerator();

    [TestCleanup]
    public void DisposeModel() => _model.Dispose();

    [TestMethod]
    public async Task Texts_MoreThanABatch_EqualEncodeTexts()
    {
        string[] texts = [.. Enumerable.Range(0, 150).Select(i => $"a red thing {i}")];

        var generated = await Texts.GenerateAsync(texts, cancellationToken: Stop);

        AreClose(_model.EncodeTexts(texts), generated);
        Assert.IsTrue(generated.All(e => e.ModelId == "prefix-clip"));
    }

    [TestMethod]
    public async Task Texts_Prefix_IsTheCallsElseTheGenerators()
    {
        using var classification = _model.AsTextEmbeddingGenerator(Classification);
        var options = new EmbeddingGenerationOptions();

        AreClose(_model.EncodeTexts(["a red thing"], Classification),
            await Texts.GenerateAsync(["a red thing"], options.WithPrefix(Classification), Stop));
        AreClose(_model.EncodeTexts(["a red thing"], Classification), await classification.GenerateAsync(["a red thing"], options, Stop));
        AreClose(_model.EncodeTexts(["a red thing"], PrefixSelection.None),
            await classification.GenerateAsync(["a red thing"], options.WithPrefix(PrefixSelection.None), Stop));
        Assert.IsNull(options.AdditionalProperties);
    }

    [TestMethod]
    public async Task Images_MoreThanABatch_EqualEncodeImages()
    {
        byte[][] images = [.. Enumerable.Range(0, 70).Select(i => ScoringModel.Encoded(i % 5))];

        var generated = await Images.GenerateAsync(images.Select(Png), cancellationToken: Stop);

        AreClose(_model.EncodeImages(images), generated);
    }

    [TestMethod]
    public async Task Generate_NoInputs_IsEmpty() => Assert.IsEmpty(await Texts.GenerateAsync([], cancellationToken: Stop));

    [TestMethod]
    public async Task Generate_FaultyOptions_SayWhatIsWrong()
    {
        await Fault("The options name the model 'other'; this generator has 'prefix-clip'.", new() { ModelId = "other" });
        await Fault("The options ask for 512 dimensions; this model's embeddings have 8.", new() { Dimensions = 512 });
        await Fault("The additional property \"prefix\" is of type String; set it with options.WithPrefix(PrefixSelection).",
            new() { AdditionalProperties = new() { ["prefix"] = "caption" } });
        await Fault("The model was not trained on the dataset type 'label'.",
            new EmbeddingGenerationOptions().WithPrefix(PrefixSelection.For("label")));
        Assert.ThrowsExactly<ArgumentException>(() => _model.AsTextEmbeddingGenerator(PrefixSelection.Auto));
        Assert.HasCount(1, await Texts.GenerateAsync(["a"], new() { ModelId = "prefix-clip", Dimensions = 8 }, Stop));
    }

    private async Task Fault(string expected, EmbeddingGenerationOptions options) => Assert.Contains(expected,
        (await Assert.ThrowsExactlyAsync<ArgumentException>(() => Texts.GenerateAsync(["a red thing"], options, Stop))).Message);

    [TestMethod]
    public async Task Generate_FaultyInputs_AreNamed()
    {
        await Fault<ArgumentException>("The image at index 1 has the media type 'text/plain'; only images have embeddings here.",
            new DataContent(new byte[1], "text/plain"));
        await Fault<ArgumentException>("The image at index 1 has the media type 'image/png' and no data.", Png([]));
        await Fault<ArgumentException>("The image at index 1 is null.", null!);
        await Fault<InvalidDataException>("The image at index 1: ", Png([1, 2, 3]));
        var fault = await Assert.ThrowsExactlyAsync<ArgumentException>(() => Texts.GenerateAsync(["a", null!], cancellationToken: Stop));
        Assert.AreEqual("The text at index 1 is null; pass an empty text for no words.", fault.Message);
    }

    private async Task Fault<T>(string expected, DataContent second) where T : Exception => Assert.StartsWith(expected,
        (await Assert.ThrowsExactlyAsync<T>(() => Images.GenerateAsync([Png(ScoringModel.Encoded(1)), second],
            cancellationToken: Stop))).Message);

    [TestMethod]
    public async Task Generate_CanceledDuringABatch_StopsBeforeTheNext()
    {
        using var source = new CancellationTokenSource();
        var read = 0;

        await Assert.ThrowsAsync<OperationCanceledException>(() => Texts.GenerateAsync(Endless(), cancellationToken: source.Token));

        Assert.AreEqual(128, read);

        IEnumerable<string> Endless()
        {
            while (true)
            {
                if (++read == 100) source.Cancel();
                yield return "a red thing";
            }
        }
    }

    [TestMethod]
    public async Task Generate_32ThreadsAtATime_GiveTheSameVectors()
    {
        var (texts, images) = (Texts, Images);
        var image = ScoringModel.Encoded(3);

        var all = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(async () => (
            Text: await texts.GenerateAsync(["a blue thing"], cancellationToken: Stop),
            Image: await images.GenerateAsync([Png(image)], cancellationToken: Stop)), Stop)));

        foreach (var (text, pixels) in all)
        {
            AreClose(_model.EncodeTexts(["a blue thing"]), text);
            AreClose(_model.EncodeImages([image]), pixels);
        }
    }

    [TestMethod]
    public void GetService_KnownTypes_AreThose()
    {
        var texts = Texts;

        var metadata = texts.GetService<EmbeddingGeneratorMetadata>()!;

        Assert.AreEqual(("Microsoft.ML.PrefixConditioning", "prefix-clip", 8),
            (metadata.ProviderName, metadata.DefaultModelId, metadata.DefaultModelDimensions!.Value));
        Assert.AreSame(texts, texts.GetService<IEmbeddingGenerator<string, Embedding<float>>>());
        Assert.AreSame(_model, texts.GetService<PrefixClipTransformer>());
        Assert.IsNull(texts.GetService<IEmbeddingGenerator<DataContent, Embedding<float>>>());
        Assert.IsNull(texts.GetService<EmbeddingGeneratorMetadata>("a key"));
    }

    [TestMethod]
    public void Dispose_Generator_LeavesTheModel()
    {
        Texts.Dispose();

        Assert.HasCount(1, _model.EncodeTexts(["a red thing"]));
    }

    private static DataContent Png(byte[] bytes) => new(bytes, "image/png");

    private static void AreClose(float[][] expected, GeneratedEmbeddings<Embedding<float>> actual)
    {
        Assert.HasCount(expected.Length, actual);
        for (var i = 0; i < expected.Length; i++)
            foreach (var (a, b) in expected[i].Zip(actual[i].Vector.ToArray())) Assert.AreEqual(a, b, 1e-6f);
    }
}
