using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;
using SkiaSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>Scoring in ML.NET's pipelines against its parts.</summary>
internal sealed class ScoringMeasures(SideBySideSettings settings) : IDisposable
{
    private const int PassSize = 64;

    private readonly string _folder = Directory.CreateTempSubdirectory("prefix-conditioning-benchmarks-").FullName;
    private readonly MLContext _context = new(seed: 1);

    public Measure SmallFromFiles() =>
        FromFiles("score JPEG files with small, images/s, against its parts alone", ClipArchitecture.Small, 512);

    public Measure LargeFromFiles() =>
        FromFiles("score JPEG files with ViT-B/32, images/s, against its parts alone", ClipArchitecture.ViTB32, 64);

    /// <summary>JPEG files to pixels for the tower, decoded at a reduced scale, against the full decode.</summary>
    public Measure ScaledDecoding()
    {
        const int Size = 224;
        var images = Array.ConvertAll(Jpegs(8, 1600, 1200), ImageReference.FromLocator);
        var preprocessor = ImagePreprocessor.For(Size, ImageNormalization.Clip);
        var pixels = new float[preprocessor.Length];
        double Read(ImageDecoding mode) => Pairs.Time(() =>
        {
            foreach (var image in images) preprocessor.ApplyTest(ImageDecoder.Decode(image, mode, Size), pixels);
        });
        var (ours, other, speedup) = Pairs.Run(settings.Pairs, () => Read(ImageDecoding.Scaled), () => Read(ImageDecoding.Upright));
        return new Measure("scaled decode of 1,600 x 1,200 JPEG files to 224 pixels, images/s, against full decode", images.Length / ours,
            images.Length / other, speedup, 2);
    }

    /// <summary>Transform over rows with images in memory, against the tower on ready batches.</summary>
    public Measure PipelineOverhead()
    {
        const int Rows = 10_000;
        using var transformer = CreateModel(ClipArchitecture.Tiny);
        using var image = MLImage.CreateFromPixels(48, 48, MLPixelFormat.Rgba32,
            [.. Enumerable.Range(0, 48 * 48 * 4).Select(i => (byte)(i * 7))]);
        var view = _context.Data.LoadFromEnumerable(Enumerable.Repeat(new ImageRow { Image = image }, Rows));
        var pixels = new float[PassSize * 3 * 48 * 48];
        var (ours, other, speedup) = Pairs.Run(settings.Pairs, () => Pairs.Time(() => Read(transformer.Transform(view))), () =>
            Pairs.Time(() => Forward(transformer, pixels, Rows)));
        var encoder = new EmbeddingEncoder(transformer.Trained, prefix: null);
        var images = Enumerable.Repeat(ImageReference.FromImage(image), PassSize).ToArray();
        var preparing = Pairs.Time(() =>
        {
            for (var first = 0; first < Rows; first += PassSize) encoder.Prepare(images, i => $"image {i}");
        });
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  preparing the images alone: {Rows / preparing:0} images/s"));
        return new Measure("Transform over 10,000 rows, images/s, overhead over the tower on ready batches", Rows / ours, Rows / other,
            1 / speedup - 1, 0.03, Bound.AtMost);
    }

    /// <summary>1,000 classes in 7 templates, against the text tower in training's forward pass.</summary>
    public Measure TextClassifier()
    {
        const int Classes = 1000, Templates = 7, Batch = 128;
        var names = Enumerable.Range(0, Classes).Select(i => $"{Captions.ClassNames[i % 64]} and {Captions.ClassNames[i / 64]}").ToArray();
        var templates = PromptTemplates.Of([.. Enumerable.Range(0, Templates).Select(i => $"a photo number {i} of a {{}}.")]);
        var tokens = names.SelectMany(n =>
            Enumerable.Range(0, Templates).Select(t => settings.Tokenizer.Encode(templates.Fill(t, n), 77))).ToArray();
        using var model = ClipModel.Create(new ClipModelShape(ClipArchitecture.Small, TrainingCase.VocabularySize, 2, 1, 0), CPU, 1);
        var (ours, other, speedup) = Pairs.Run(settings.Pairs,
            () => Pairs.Time(() => ClassEmbeddings.FromTokens(model, tokens, Templates, [(0, 1.0)]).Dispose()),
            () => Pairs.Time(() =>
            {
                using var noGrad = no_grad();
                foreach (var batch in tokens.Chunk(Batch))
                {
                    using var scope = NewDisposeScope();
                    model.EncodeTexts(TokenBatch.Pad(batch), new long[batch.Length]);
                }
            }));
        return new Measure("class embeddings, texts/s, against forward passes of training batches", tokens.Length / ours,
            tokens.Length / other, speedup, 1);
    }

    /// <summary>The same classes asked for again.</summary>
    public Measure CachedClassifier()
    {
        using var transformer = CreateModel(ClipArchitecture.Tiny);
        var view = _context.Data.LoadFromEnumerable(new[] { new FileRow { Image = "none" } });
        double Fit() => Pairs.Time(() => _context.Transforms.ZeroShotClassification(transformer, Captions.ClassNames).Fit(view));
        var first = Fit();
        var again = Pairs.Median(Enumerable.Range(0, settings.Pairs).Select(_ => Fit()));
        return new Measure("a classifier for the same classes again, seconds", again, first, first / again, 10);
    }

    /// <summary>A new process that loads a saved Tiny model and scores one image, against one that loads libtorch only.</summary>
    public Measure StartUp()
    {
        var (model, image) = (Path.Combine(_folder, "tiny.zip"), Jpegs(1)[0]);
        using (var transformer = CreateModel(ClipArchitecture.Tiny))
        {
            var view = _context.Data.LoadFromEnumerable(new[] { new FileRow { Image = image } });
            using var zeroShot = _context.Transforms.ZeroShotClassification(transformer, Captions.ClassNames).Fit(view);
            _context.Model.Save(zeroShot, view.Schema, model);
        }
        var (ours, libtorch, speedup) = Pairs.Run(settings.Pairs,
            () => Pairs.Time(() => ChildProcess.Number("measure-start", model, image)),
            () => Pairs.Time(() => ChildProcess.Number("measure-libtorch")));
        return new Measure("a new process loads Tiny and scores one image, seconds, over one that loads libtorch only", ours, libtorch,
            1 / speedup, 1.5, Bound.AtMost);
    }

    /// <summary>What the child process does: the probability of the best class.</summary>
    public static double LoadAndScore(string model, string image)
    {
        var context = new MLContext();
        var zeroShot = context.Model.Load(model, out _);
        var scored = zeroShot.Transform(context.Data.LoadFromEnumerable(new[] { new FileRow { Image = image } }));
        return scored.GetColumn<float[]>("Score").First().Max();
    }

    private Measure FromFiles(string name, ClipArchitecture architecture, int count)
    {
        using var transformer = CreateModel(architecture);
        var files = Jpegs(count);
        var view = _context.Data.LoadFromEnumerable(files.Select(f => new FileRow { Image = f }));
        var encoder = new EmbeddingEncoder(transformer.Trained, prefix: null);
        var pixels = new float[PassSize * 3 * architecture.ImageSize * architecture.ImageSize];
        double Decode() => Pairs.Time(() =>
        {
            foreach (var pass in files.Select(ImageReference.FromLocator).Chunk(PassSize)) encoder.Prepare(pass, i => $"image {i}");
        });
        double decode = 0, forward = 0;
        var (ours, parts, speedup) = Pairs.Run(settings.Pairs, () => Pairs.Time(() => Read(transformer.Transform(view))), () =>
        {
            (decode, forward) = (Decode(), Pairs.Time(() => Forward(transformer, pixels, count)));
            return decode + forward;
        });
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  alone: decoding {count / decode:0} images/s, forward {count / forward:0} images/s"));
        return new Measure(name, count / ours, count / parts, speedup, 0.95);
    }

    private static void Read(IDataView view)
    {
        var column = view.Schema["ImageEmbedding"];
        using var cursor = view.GetRowCursor([column]);
        var getter = cursor.GetGetter<VBuffer<float>>(column);
        VBuffer<float> embedding = default;
        while (cursor.MoveNext()) getter(ref embedding);
    }

    private static void Forward(PrefixClipTransformer transformer, float[] pixels, int count)
    {
        var image = pixels.Length / PassSize;
        for (var first = 0; first < count; first += PassSize)
        {
            var pass = Math.Min(PassSize, count - first);
            transformer.Trained.EncodeImages(pixels.AsSpan(0, pass * image), pass, null);
        }
    }

    private PrefixClipTransformer CreateModel(ClipArchitecture architecture)
    {
        var options = new PrefixClipOptions { Architecture = architecture };
        var tokenizer = ClipTokenizer.Learn([.. Captions.Photographs, .. Captions.ClassNames], options.VocabularySize);
        var model = ModelSettings.From(options, options.DatasetTypes, tokenizer.VocabularySize);
        return new PrefixClipTransformer(_context,
            new TrainedModel(ClipModel.Create(model.Shape, CPU, 1), tokenizer, model, new TrainingHistory([], [], 0)));
    }

    private string[] Jpegs(int count, int width = 640, int height = 480)
    {
        var files = Enumerable.Range(0, count).Select(i => Path.Combine(_folder, $"{i}-{width}x{height}.jpg")).ToArray();
        Parallel.For(0, count, i =>
        {
            if (!File.Exists(files[i])) WriteJpeg(files[i], i, width, height);
        });
        return files;
    }

    /// <summary>Writes a picture with edges and gradients, as photographs have them.</summary>
    public static string WriteJpeg(string path, int seed, int width, int height)
    {
        var random = new Random(seed);
        using var bitmap = new SKBitmap(width, height);
        using var canvas = new SKCanvas(bitmap);
        using var paint = new SKPaint();
        for (var shape = 0; shape < 60; shape++)
        {
            paint.Shader = SKShader.CreateLinearGradient(new SKPoint(0, 0), new SKPoint(width, height),
                [new SKColor((uint)random.Next() | 0xFF000000), new SKColor((uint)random.Next() | 0xFF000000)], SKShaderTileMode.Mirror);
            canvas.DrawOval(random.Next(width), random.Next(height), random.Next(height / 24, height * 5 / 12),
                random.Next(height / 24, height * 5 / 12), paint);
        }
        using var data = bitmap.Encode(SKEncodedImageFormat.Jpeg, 90);
        File.WriteAllBytes(path, data.ToArray());
        return path;
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private sealed class FileRow
    {
        public string Image { get; set; } = "";
    }

    private sealed class ImageRow
    {
        [ImageType(48, 48)]
        public MLImage? Image { get; set; }
    }
}
