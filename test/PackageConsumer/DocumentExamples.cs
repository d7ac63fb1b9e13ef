using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.VectorData;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Microsoft.ML.PrefixConditioning;
using Microsoft.ML.Transforms.Image;

namespace PackageConsumer.Documents;

/// <summary>The examples of docs/*.md, compiled against the package. A test compares the lines between the marks with the
/// documents'.</summary>
internal static class DocumentExamples
{
    private static readonly HttpClient Http = new();

    public static IDataView PublishedFormats(MLContext mlContext)
    {
        // <docs/data.md 1>
        IDataView shards = mlContext.Data.LoadWebDataset("cc12m/{00000..01242}.tar");                         // 00017.jpg, 00017.txt
        IDataView titles = mlContext.Data.LoadWebDataset("laion/*.tar", text: "json:caption", badRows: BadRowPolicy.Skip);
        IDataView digits = mlContext.Data.LoadIdx("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
        IDataView cifar = mlContext.Data.LoadCifar("cifar-10-batches-bin/data_batch_{1..5}.bin");
        IDataView table = mlContext.Data.LoadParquet("cc3m/*.parquet", "image", "caption");
        // </docs/data.md>
        return mlContext.Data.UnifyDatasets(shards, titles, digits, cifar, table);
    }

    public static IDataView OwnPictures(MLContext mlContext, IDataView labeled, IEnumerable<Picture> pictures)
    {
        // <docs/data.md 2>
        IDataView own = mlContext.Data.TagDatasetType(mlContext.Data.LoadFromEnumerable(pictures), "caption");   // rows with Image and Text
        IDataView all = mlContext.Data.UnifyDatasets(labeled, own);
        // </docs/data.md>
        return all;
    }

    public static IDataView WeightedViews(MLContext mlContext)
    {
        // <docs/data.md 3>
        IDataView weighted = mlContext.Data.UnifyDatasets(
            mlContext.Data.LoadWebDataset("cc12m/{00000..01242}.tar"),                            // no weights: 1
            mlContext.Data.TagWeight(mlContext.Data.LoadImageCaptions("curated.tsv"), 4));        // each row four times as often
        // </docs/data.md>
        return weighted;
    }

    public static IDataView RemoteShards(MLContext mlContext)
    {
        // <docs/data.md 4>
        static async ValueTask<Stream> Open(string address, long offset, long length, CancellationToken cancellation)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address) { Headers = { Range = new(offset, offset + length - 1) } };
            var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            return await response.EnsureSuccessStatusCode().Content.ReadAsStreamAsync(cancellation);
        }

        using var mount = RemoteFiles.Mount("https://data.example.com/cc12m/", Open, cacheFolder: "cache", maxCacheBytes: 200L << 30);
        IDataView remote = mlContext.Data.LoadWebDataset("https://data.example.com/cc12m/{00000..01242}.tar");
        // </docs/data.md>
        return remote;
    }

    public static IDataView ParquetFiles(MLContext mlContext)
    {
        // <docs/data.md 5>
        var names = new Dictionary<string, string> { ["0"] = "cat", ["1"] = "dog" };
        IDataView labeled = mlContext.Data.LoadParquet("pets/*.parquet", "image", "label", "label", classNames: names,
            datasetType: "classification", furtherFields: ["width", "height"]);
        // </docs/data.md>
        return labeled;
    }

    public static IDataView SavedLoader(MLContext mlContext)
    {
        // <docs/data.md 6>
        IDataLoader<IMultiStreamSource> loader = mlContext.Data.CreateImageFolderLoader();
        var pipeline = loader.Append(mlContext.Transforms.PrefixClip()).Append(mlContext.Transforms.ZeroShotClassification(["cat", "dog"]));
        var trained = pipeline.Fit(new MultiFileSource("pets/"));
        mlContext.Model.Save(trained.Transformer, loader, "pets.zip");

        ITransformer model = mlContext.Model.LoadWithDataLoader("pets.zip", out var savedLoader);    // in another program
        IDataView scored = model.Transform(savedLoader.Load("photos/"));
        // </docs/data.md>
        return scored;
    }

    public static async Task<Embedding<float>[]> Generators()
    {
        // <docs/ai.md 1>
        var services = new ServiceCollection();
        services.AddPrefixClip("clip.zip");   // or a folder of weights, a name on the hub, or a model
        using ServiceProvider provider = services.BuildServiceProvider();
        var texts = provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
        var images = provider.GetRequiredService<IEmbeddingGenerator<DataContent, Embedding<float>>>();

        Embedding<float> image = await images.GenerateAsync(await DataContent.LoadFromAsync("photo.jpg"));
        Embedding<float> caption = await texts.GenerateAsync("a red apple on a table");
        Embedding<float> label = await texts.GenerateAsync("red apple",
            new EmbeddingGenerationOptions().WithPrefix(PrefixSelection.For("classification")));
        // </docs/ai.md>
        return [image, caption, label];
    }

    public static void TrainOnSeveralProcesses(MLContext mlContext, IDataView train)
    {
        // <docs/scaling.md 1>
        using var group = ProcessGroup.Mpi();
        var options = new PrefixClipOptions { ProcessGroup = group, BatchSize = 1024, Seed = 1 };   // 1024 rows over all ranks
        using var model = mlContext.Transforms.PrefixClip(options).Fit(train);
        if (group.Rank == 0) mlContext.Model.Save(model, train.Schema, "clip.zip");
        // </docs/scaling.md>
    }

    public static PrefixClipOptions Hub(MLContext mlContext)
    {
        // <docs/pretrained.md 1>
        using PrefixClipTransformer clip = mlContext.Model.LoadClip("openai/clip-vit-base-patch32");
        var options = new PrefixClipOptions { InitialWeights = "hf://laion/CLIP-ViT-B-32-laion2B-s34B-b79K" };
        // </docs/pretrained.md>
        Console.WriteLine(clip.ParameterCount);
        return options;
    }

    public static PrefixClipOptions Search(MLContext mlContext, IDataView train, IDataView validation)
    {
        // <docs/automl.md 1>
        var clip = mlContext.Transforms.PrefixClip(new PrefixClipOptions { ValidationSet = validation, Epochs = 27 });
        using TuningResult result = clip.Tune(train, new TuningOptions { Trials = 27, Folder = "search" });
        Console.WriteLine(result);                 // a table of all trials
        PrefixClipTransformer model = result.Model;
        PrefixClipOptions best = result.Options;   // to train again, for example on more data
        // </docs/automl.md>
        Console.WriteLine(model.ParameterCount);
        return best;
    }

    public static PrefixClipOptions TrainForDays(IDataView labeled)
    {
        // <docs/long-runs.md 1>
        var options = new PrefixClipOptions
        {
            Epochs = 30,
            ValidationSet = labeled,
            Patience = 3,
            Checkpoints = new() { Folder = "checkpoints", Minutes = 30, StopOnSignal = true },
        };
        // </docs/long-runs.md>
        return options;
    }

    public static void Export(MLContext mlContext, IDataView test)
    {
        // <docs/onnx.md 1>
        using var model = (PrefixClipTransformer)mlContext.Model.Load("clip.zip", out _);
        var classifier = mlContext.Transforms.ZeroShotClassification(model, ["red apple", "grinning face"]).Fit(test);
        classifier.SaveAsOnnx("classifier.onnx");
        model.SaveImageEncoderAsOnnx("image.onnx");
        model.SaveTextEncoderAsOnnx("text.onnx", PrefixSelection.For("classification"));
        // </docs/onnx.md>
    }

    public static IDataView ApplyOnnx(MLContext mlContext, PrefixClipTransformer model, IDataView test)
    {
        // <docs/onnx.md 2>
        var pipeline = mlContext.Transforms.ClipPixels(model)
            .Append(mlContext.Transforms.ApplyOnnxModel(["Score", "PredictedLabel"], ["Pixels"], "classifier.onnx"));
        var onnx = pipeline.Fit(test);
        IDataView scored = onnx.Transform(test);
        mlContext.Model.Save(onnx, test.Schema, "onnx-pipeline.zip");
        // </docs/onnx.md>
        return scored;
    }

    public static IEstimator<ITransformer> ApplyOnnxAlone(MLContext mlContext)
    {
        // <docs/onnx.md 3>
        var pipeline = mlContext.Transforms.LoadImages("Loaded", imageFolder: "", "Image")
            .Append(mlContext.Transforms.ResizeImages("Resized", 48, 48, "Loaded", ImageResizingEstimator.ResizingKind.IsoCrop))  // 48: S
            .Append(mlContext.Transforms.ExtractPixels("Pixels", "Resized"))
            .Append(mlContext.Transforms.ApplyOnnxModel(["Score", "PredictedLabel"], ["Pixels"], "classifier.onnx"));
        // </docs/onnx.md>
        return pipeline;
    }

    public static IEstimator<ITransformer> ConvertChain(MLContext mlContext, PrefixClipTransformer model, IDataView train)
    {
        // <docs/onnx.md 5>
        var labeled = mlContext.Transforms.Conversion.MapValueToKey("Label").Fit(train).Transform(train);
        var chain = mlContext.Transforms.ClipImageEmbedding(model, "Features", "Image")
            .AppendCacheCheckpoint(mlContext)
            .Append(mlContext.MulticlassClassification.Trainers.SdcaMaximumEntropy())
            .Append(mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel")).Fit(labeled);
        IDataView rows = mlContext.Data.LoadFromEnumerable<ImageRow>([]);   // a class with the property Image; only the schema is used
        using (var file = File.Create("chain.onnx"))
            mlContext.Model.ConvertToOnnx(chain, rows, file, "Score", "PredictedLabel");
        var converted = mlContext.Transforms.ClipPixels(model)
            .Append(mlContext.Transforms.ApplyOnnxModel(["Score.output", "PredictedLabel.output"], ["Pixels"], "chain.onnx"));
        // </docs/onnx.md>
        return converted;
    }

    public static float[] OnnxRuntimeAlone(PrefixClipTransformer model)
    {
        // <docs/onnx.md 6>
        using var session = new InferenceSession("text.onnx");
        long[][] ids = model.Tokenize(["a picture of the red apple.", "a picture of the grinning face."]);
        var tensor = new DenseTensor<long>(ids.SelectMany(row => row).ToArray(), [ids.Length, ids[0].Length]);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor("TokenIds", tensor)]);
        float[] embeddings = results[0].AsEnumerable<float>().ToArray();   // [N, D] row by row
        // </docs/onnx.md>
        return embeddings;
    }

    public static void FineTune(MLContext mlContext, IDataView train, IDataView test)
    {
        // <docs/pretrained.md 2>
        var fineTuning = mlContext.Transforms.PrefixClip(new PrefixClipOptions
        {
            InitialWeights = "clip-vit-base-patch32/",   // weights, configuration and vocabulary, as published
            LearningRate = 1e-5,
            FineTuning = new() { PrefixLearningRateFactor = 100 },              // the prefixes are new
            Epochs = 3,
        });
        using PrefixClipTransformer model = fineTuning.Fit(train);   // labeled and captioned images together
        var classifier = mlContext.Transforms.ZeroShotClassification(model, ["red apple", "grinning face"]).Fit(test);
        classifier.SaveAsOnnx("classifier.onnx");                       // for ApplyOnnxModel and ONNX Runtime
        classifier.SaveClassEmbeddings("class-embeddings.safetensors"); // for programs that know no prefixes
        model.SaveSafetensors("clip-fine-tuned/");                      // for open_clip, and for LoadClip
        // </docs/pretrained.md>
    }

    public static ClipSearchIndex SearchIndex(MLContext mlContext, PrefixClipTransformer model, IDataView captioned)
    {
        // <docs/search.md 1>
        string[] paths = Directory.GetFiles("photos/", "*.jpg");
        IDataView photos = mlContext.Data.LoadFromEnumerable(paths.Select(path => new Photo { Image = path }));
        var index = new ClipSearchIndex(model);
        index.AddImages(photos);
        IReadOnlyList<SearchResult> apples = index.Search("a red apple on a table", top: 20);    // text to image: Key, Score
        IReadOnlyList<SearchResult> alike = index.SearchByImage("query.jpg");                     // image to image
        IReadOnlyList<DuplicatePair> pairs = index.FindDuplicates(threshold: 0.95f);              // First, Second, Score

        var captions = new ClipSearchIndex(model);
        captions.AddTexts(captioned);
        IReadOnlyList<SearchResult> described = captions.SearchByImage("query.jpg", top: 5);      // image to text

        index.Save("photos.index");
        ClipSearchIndex loaded = ClipSearchIndex.Load("photos.index", model);                     // the same model, or an error
        loaded.AddImages(photos);                                                                 // only what is new is encoded
        // </docs/search.md>
        Console.WriteLine($"{apples.Count} {alike.Count} {pairs.Count} {described.Count}");
        return loaded;
    }

    public static IReadOnlyList<IReadOnlyList<SearchResult>> SearchEmbeddings(
        ClipSearchIndex index, PrefixClipTransformer model, IReadOnlyList<byte[]> images)
    {
        // <docs/search.md 2>
        float[][] queries = model.EncodeImages(images);                           // images: encoded files or ML.NET images
        IReadOnlyList<IReadOnlyList<SearchResult>> found = index.Search(queries, top: 10);
        float[] image = model.EncodeImages(["shoe.jpg"])[0], text = model.EncodeTexts(["red"])[0];
        IReadOnlyList<SearchResult> redShoes = index.Search([[.. image.Zip(text, (x, y) => x + 0.5f * y)]])[0];
        // </docs/search.md>
        return [.. found, redShoes];
    }

    public static async Task VectorStore(VectorStoreCollection<string, StoredPhoto> photos, PrefixClipTransformer model)
    {
        // <docs/search.md 3>
        await photos.EnsureCollectionExistsAsync();
        using var images = model.AsImageEmbeddingGenerator();
        foreach (string[] files in Directory.GetFiles("photos/", "*.jpg").Chunk(64))
        {
            DataContent[] contents = await Task.WhenAll(files.Select(file => DataContent.LoadFromAsync(file).AsTask()));
            var embeddings = await images.GenerateAsync(contents);
            await photos.UpsertAsync(files.Zip(embeddings, (file, e) => new StoredPhoto { Path = file, Embedding = e.Vector }));
        }

        using var texts = model.AsTextEmbeddingGenerator();
        ReadOnlyMemory<float> query = await texts.GenerateVectorAsync("a red apple on a table");
        await foreach (VectorSearchResult<StoredPhoto> found in photos.SearchAsync(query, top: 20))
            Console.WriteLine($"{found.Score:0.000} {found.Record.Path}");
        // </docs/search.md>
    }

    public static PrefixClipEstimator Monitor(MLContext mlContext)
    {
        // <docs/report.md 1>
        var clip = mlContext.Transforms.PrefixClip(new PrefixClipOptions
        {
            Progress = TrainingMonitor.All(
                TrainingMonitor.Bar(), TrainingMonitor.TensorBoard("runs/1"), TrainingMonitor.JsonLines("run.jsonl")),
        });
        // </docs/report.md>
        return clip;
    }

    public static void Report(PrefixClipEstimator clip, IDataView train, IDataView near, IDataView far, IDataView captioned)
    {
        // <docs/report.md 2>
        using PrefixClipTransformer model = clip.Fit(train);
        ReportSummary summary = model.SaveReport("report.html", new ReportOptions
        {
            TestSets = [new("near", near), new("far", far)],
            Captioned = captioned,
        });
        Console.WriteLine(summary.Headline);   // what the figures allow to say
        Console.WriteLine(summary);            // accuracies as a table
        // </docs/report.md>
    }
}

// <docs/onnx.md 4>
public sealed class Prediction
{
    public float[] Score { get; set; } = [];
    public string[] PredictedLabel { get; set; } = [];   // one name
}
// </docs/onnx.md>

// <docs/search.md 1>
public sealed class Photo { public string Image { get; set; } = ""; }
// </docs/search.md>

// <docs/search.md 3>
public sealed class StoredPhoto
{
    [VectorStoreKey]
    public string Path { get; set; } = "";

    [VectorStoreVector(512, DistanceFunction = DistanceFunction.CosineSimilarity)]   // 512: model.Architecture.EmbeddingSize
    public ReadOnlyMemory<float> Embedding { get; set; }
}
// </docs/search.md>

/// <summary>An image file.</summary>
internal sealed record ImageRow(string Image);

/// <summary>A picture with its text.</summary>
internal sealed record Picture(string Image, string Text);
