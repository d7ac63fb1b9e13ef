using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>Image embeddings against the same model in ONNX Runtime, both from pixels in an array to embeddings in an array.</summary>
internal sealed class OnnxMeasures(SideBySideSettings settings)
{
    private const double BlockSeconds = 0.5;   // of one way before the other's turn, so that threads of neither spin into it

    /// <summary>Images per second.</summary>
    /// <param name="name">The architecture's name.</param>
    /// <param name="architecture">Sizes; the weights are random.</param>
    /// <param name="batch">Images at a time.</param>
    public Measure Images(string name, ClipArchitecture architecture, int batch)
    {
        using var model = Model(architecture);
        var folder = Directory.CreateTempSubdirectory("prefix-conditioning-onnx-");
        try
        {
            var path = Path.Combine(folder.FullName, "model.onnx");
            model.Lend(network => OnnxExport.ImageEncoder(model, network, null, PixelValues.Normalized).Write(path));
            using var options = new SessionOptions { IntraOpNumThreads = TorchSharp.torch.get_num_threads() };
            using var session = new InferenceSession(path, options);
            return Compare(name, model, session, batch, architecture.ImageSize);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Images per second in bfloat16 over those in single precision.</summary>
    public Measure Rounded(string name, ClipArchitecture architecture, int batch, double bar)
    {
        using var single = Model(architecture);
        using var rounded = single.WithPrecision(Precision.BFloat16, new MLContext());
        var pixels = Pixels(batch, architecture.ImageSize);
        var (ours, other, speedup) = Pairs.Run(settings.Pairs, () => Average(() => rounded.EncodeImages(pixels, batch, null)),
            () => Average(() => single.EncodeImages(pixels, batch, null)));
        return new Measure($"image embeddings of {name} at batch {batch} in bfloat16, images/s, over single precision",
            batch / ours, batch / other, speedup, bar);
    }

    /// <summary>Seconds in which this package alone encodes a batch.</summary>
    public static double MedianTime(string name, int batch)
    {
        TorchLibrary.EnsureLoaded();
        var architecture = name switch
        {
            "Tiny" => ClipArchitecture.Tiny,
            "Small" => ClipArchitecture.Small,
            "ViT-B/32" => ClipArchitecture.ViTB32,
            _ => throw new ArgumentException($"There is no architecture '{name}'; take Tiny, Small or ViT-B/32."),
        };
        using var model = Model(architecture);
        var pixels = Pixels(batch, architecture.ImageSize);
        return Pairs.Median(Enumerable.Range(0, 20).Select(_ => Average(() => model.EncodeImages(pixels, batch, null))));
    }

    /// <summary>Megabytes of a whole zero-shot classifier of 1,000 classes as an ONNX file, and of its image encoder alone.</summary>
    public static Measure ClassifierSize(string name, ClipArchitecture architecture)
    {
        const int Classes = 1000;
        using var model = Model(architecture);
        var folder = Directory.CreateTempSubdirectory("prefix-conditioning-onnx-");
        try
        {
            string encoder = Path.Combine(folder.FullName, "encoder.onnx"), classifier = Path.Combine(folder.FullName, "classifier.onnx");
            string[] names = [.. Enumerable.Range(0, Classes).Select(i => $"{Captions.ClassNames[i % 64]} {i / 64}")];
            var classes = new OnnxClasses(names, new float[Classes * architecture.EmbeddingSize], 100, PrefixSelection.Caption);
            model.Lend(network =>
            {
                OnnxExport.ImageEncoder(model, network, null, PixelValues.Rgb255).Write(encoder);
                OnnxExport.Classifier(model, network, classes, PixelValues.Rgb255).Write(classifier);
            });
            double whole = new FileInfo(classifier).Length / 1e6, tower = new FileInfo(encoder).Length / 1e6;
            return new Measure($"ONNX classifier of {name} with 1,000 classes, MB, over its image encoder's",
                whole, tower, whole - tower, 3, Bound.AtMost);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private Measure Compare(string name, TrainedModel model, InferenceSession session, int batch, int size)
    {
        var pixels = Pixels(batch, size);
        var input = new DenseTensor<float>(pixels, [batch, 3, size, size]);
        float[] Ours() => model.EncodeImages(pixels, batch, null);
        float[] Theirs()
        {
            using var results = session.Run([NamedOnnxValue.CreateFromTensor("NormalizedPixels", input)]);
            return [.. results[0].AsTensor<float>()];
        }
        var difference = Ours().Zip(Theirs(), (a, b) => Math.Abs(a - b)).Max();
        if (!(difference < 1e-4)) throw new InvalidOperationException($"The two differ by {difference}.");
        var (ours, theirs, speedup) = Pairs.Run(settings.Pairs, () => Average(Ours), () => Average(Theirs));
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  {name}, batch {batch}: {ours * 1e3:0.00} ms, ONNX Runtime {theirs * 1e3:0.00} ms; embeddings differ by " +
                $"{difference:0.0e0}"));
        return new Measure($"image embeddings of {name} at batch {batch}, images/s, against ONNX Runtime",
            batch / ours, batch / theirs, speedup, 1);
    }

    private static float[] Pixels(int batch, int size)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, batch * 3 * size * size).Select(_ => (float)(random.NextDouble() * 4 - 2))];
    }

    /// <summary>Seconds per call over a block of calls.</summary>
    private static double Average(Func<float[]> encode)
    {
        encode();
        int calls = 0;
        double seconds = 0;
        for (; seconds < BlockSeconds; calls++) seconds += Pairs.Time(() => encode());
        return seconds / calls;
    }

    private static TrainedModel Model(ClipArchitecture architecture)
    {
        var tokenizer = ClipTokenizer.Learn(Captions.Photographs, 600);
        var options = new PrefixClipOptions { Architecture = architecture with { TextLayers = 1 } };   // texts are not encoded here
        var shape = ModelSettings.From(options, options.DatasetTypes, tokenizer.VocabularySize);
        return new TrainedModel(ClipModel.Create(shape.Shape, TorchSharp.torch.CPU, 1), tokenizer, shape, TrainingHistory.Empty);
    }
}
