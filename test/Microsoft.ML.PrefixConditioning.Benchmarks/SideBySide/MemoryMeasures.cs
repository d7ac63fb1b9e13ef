using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>Memory of a training step, and gradient caching.</summary>
internal sealed class MemoryMeasures(SideBySideSettings settings)
{
    private const double Mega = 1e6;

    /// <summary>Peak memory of three steps over what the model had before them.</summary>
    public static Measure Peak() =>
        Ratio("peak memory of a small step, MB over the model's", Child(128, reference: false, null), Child(128, reference: true, null), 1);

    /// <summary>The same for a large model, whose gradients stay in memory.</summary>
    public static Measure PeakLarge() =>
        Ratio("peak memory of a ViT-B/32 step of 8, MB over the model's", Child(8, reference: false, null, "large"),
            Child(8, reference: true, null, "large"), 1);

    /// <summary>A batch of 1,024 in chunks of 128 against a batch of 128, without the images themselves.</summary>
    public static Measure CachedPeak()
    {
        const double Image = 3 * 64 * 64 * 4 / Mega, Embedding = 2 * 192 * 4 / Mega; // an image's and a text's
        var cached = Child(1024, reference: false, 128) - 1024 * Image;
        var one = Child(128, reference: false, null) - 128 * Image + 1024 * 4 * Embedding; // embeddings, their copies and gradients
        return Ratio("peak memory of batch 1024 in chunks of 128, MB, against batch 128", cached, one, 1.05);
    }

    /// <summary>Largest relative difference of loss and gradients between a batch of 1,024 in chunks and as a whole.</summary>
    public Measure CachedGradients()
    {
        var options = Options(1024, reference: false, null);
        // not each of them 16 times
        var texts = settings.CaptionTexts(options).Select((t, i) => t.Length < 6 ? t : [.. t[..^2], t[1 + i % (t.Length - 2)], t[^1]])
            .ToArray();
        var (whole, loss) = Gradients(options, texts);
        var (chunked, cachedLoss) = Gradients(options with { ChunkSize = 128 }, texts);
        var worst = Math.Abs(loss - cachedLoss) / loss;
        foreach (var (name, gradient) in whole)
            worst = Math.Max(worst, (gradient - chunked[name]).abs().max().ToDouble() / gradient.abs().max().ToDouble());
        foreach (var gradient in whole.Values.Concat(chunked.Values)) gradient.Dispose();
        return new Measure("batch 1024 in chunks of 128, largest relative difference of loss and gradients", worst, loss, worst, 1e-4,
            Bound.AtMost);
    }

    /// <summary>What the child process prints: megabytes.</summary>
    public static double MeasurePeak(string size, int batch, bool reference, int? chunk)
    {
        TorchLibrary.EnsureLoaded();
        var settings = new SideBySideSettings(1, null, ClipTokenizer.Learn(Captions.Photographs, 4096), Captions.Photographs);
        var options = Options(batch, reference, chunk) with
        {
            Architecture = size == "large" ? ClipArchitecture.ViTB32
            : ClipArchitecture.Small
        };
        using var training = new TrainingCase(options, settings.CaptionTexts(options));
        var before = ChildProcess.PeakBytes();
        for (var step = 0; step < 3; step++) training.Step();
        return (ChildProcess.PeakBytes() - before) / Mega;
    }

    private static Measure Ratio(string name, double ours, double other, double bar) =>
        new(name, ours, other, ours / other, bar, Bound.AtMost);

    private static PrefixClipOptions Options(int batch, bool reference, int? chunk) =>
        new()
        {
            Architecture = ClipArchitecture.Small, BatchSize = batch, PrefixLength = 0, UseTensorOperations = reference, ChunkSize = chunk,
        };

    private static double Child(int batch, bool reference, int? chunk, string size = "small") => ChildProcess.Number(
        "measure-memory", size, batch.ToString(CultureInfo.InvariantCulture), reference ? "1" : "0",
            (chunk ?? 0).ToString(CultureInfo.InvariantCulture));

    private static (Dictionary<string, Tensor> Gradients, double Loss) Gradients(PrefixClipOptions options, IReadOnlyList<int[]> texts)
    {
        using var training = new TrainingCase(options, texts);
        var loss = training.Backward();
        return (training.Model.Weights.ToDictionary(w => w.Key, w => w.Value.grad!.detach().clone()), loss);
    }
}
