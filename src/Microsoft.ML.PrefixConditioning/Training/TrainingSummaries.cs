using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Mean and variance of the image embeddings of each dataset type, from a sample of the training images.</summary>
internal static class TrainingSummaries
{
    /// <summary>Images sampled per dataset type. The standard error of a mean over 1,000 images is a thirtieth of their standard
    /// deviation.</summary>
    internal const int Sample = 1000;

    private const ulong SamplePurpose = 11;
    private const int ImagesPerPass = 64;

    /// <summary>One summary per dataset type, from images as in scoring, with their type's own image prefix.</summary>
    /// <param name="environment">Logs how many images are read.</param>
    /// <param name="model">The trained model.</param>
    /// <param name="rows">The training rows.</param>
    /// <param name="setup">The run's settings.</param>
    /// <returns>Null where not one of a type's images can be read.</returns>
    /// <exception cref="OperationCanceledException">The options' token was canceled.</exception>
    public static IReadOnlyList<EmbeddingSummary>? Of(
        IHostEnvironment environment, ClipModel model, TaggedRows rows, TrainingSetup setup)
    {
        using var phase = new LongPhase(environment, "Summarizing the dataset types", "images");
        var summaries = new List<EmbeddingSummary>();
        for (var type = 0; type < rows.Types.Count; type++)
        {
            var embeddings = Embeddings(phase, model, rows, Order(rows, type, setup.Options.CancellationToken), setup);
            if (embeddings.Count == 0) return null;
            summaries.Add(EmbeddingSummary.Of(embeddings));
        }
        return summaries;
    }

    /// <summary>A type's rows in random order: the same for every seed, and so for a run that goes on from a checkpoint.</summary>
    private static int[] Order(TaggedRows rows, int type, CancellationToken cancellation)
    {
        int[] order = [.. Enumerable.Range(0, rows.Count).Where(row => rows.DatasetTypes[row] == type)];
        var random = SeededRandom.Derive(0, SamplePurpose, (ulong)type);
        random.Shuffle(order.AsSpan(), cancellation);
        return order;
    }

    private static List<float[]> Embeddings(LongPhase phase, ClipModel model, TaggedRows rows, int[] order, TrainingSetup setup)
    {
        var preprocessor = setup.Model.CreatePreprocessor();
        var embeddings = new List<float[]>();
        var type = rows.DatasetTypes[order[0]];
        foreach (var pass in order.Chunk(PixelBatch.Most(ImagesPerPass, preprocessor.Length)))
        {
            if (embeddings.Count >= Sample) break;
            var wanted = pass[..Math.Min(pass.Length, Sample - embeddings.Count)];
            var pixels = new float[wanted.Length * preprocessor.Length];
            var faults = preprocessor.DecodeTest(wanted.Length, i => rows.Images[wanted[i]], setup.Options.ImageDecoding,
                i => pixels.AsMemory(i * preprocessor.Length, preprocessor.Length), setup.Options.CancellationToken);
            // Unreadable images are left out, as training did; where the policy is to fail, training would have.
            var all = Encode(model, pixels, wanted.Length, type, setup.Model.Architecture);
            embeddings.AddRange(all.Where((_, i) => faults[i] is null));
            phase.Advance(wanted.Length);
        }
        return embeddings;
    }

    private static float[][] Encode(ClipModel model, float[] pixels, int count, int type, ClipArchitecture architecture)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var images = PixelBatch.ToTensor(pixels, count, architecture.ImageSize, model.Device);
        var types = PrefixResolution.ImageTypes(model, [(type, 1.0)], count);
        return [.. model.EncodeImages(images, types).cpu().data<float>().ToArray().Chunk(architecture.EmbeddingSize)];   // [N, D]
    }
}
