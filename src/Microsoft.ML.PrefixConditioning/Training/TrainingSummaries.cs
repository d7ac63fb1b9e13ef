using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Where the images of each dataset type lie for the trained model, from a sample of them.</summary>
internal static class TrainingSummaries
{
    /// <summary>Images per dataset type: the mean of a thousand is known to a thirtieth of the spread of one.</summary>
    internal const int Sample = 1000;

    private const ulong SamplePurpose = 11;
    private const int ImagesPerPass = 64;

    /// <summary>One summary per dataset type, from images as in scoring, with their type's own image prefix.</summary>
    /// <returns>Null where not one of a type's images can be read.</returns>
    /// <exception cref="OperationCanceledException">The options' token was cancelled.</exception>
    public static IReadOnlyList<EmbeddingSummary>? Of(ClipModel model, TaggedRows rows, PrefixClipOptions options)
    {
        var summaries = new List<EmbeddingSummary>();
        for (var type = 0; type < rows.Types.Count; type++)
        {
            var embeddings = Embeddings(model, rows, Order(rows, type), options);
            if (embeddings.Count == 0) return null;
            summaries.Add(EmbeddingSummary.Of(embeddings));
        }
        return summaries;
    }

    /// <summary>A type's rows in random order: the same for every seed, and so for a run that goes on from a checkpoint.</summary>
    private static int[] Order(TaggedRows rows, int type)
    {
        int[] order = [.. Enumerable.Range(0, rows.Count).Where(row => rows.DatasetTypes[row] == type)];
        var random = SeededRandom.Derive(0, SamplePurpose, (ulong)type);
        random.Shuffle(order.AsSpan());
        return order;
    }

    private static List<float[]> Embeddings(ClipModel model, TaggedRows rows, int[] order, PrefixClipOptions options)
    {
        var preprocessor = ImagePreprocessor.For(options.Architecture.ImageSize, options.Normalization);
        var embeddings = new List<float[]>();
        var type = rows.DatasetTypes[order[0]];
        foreach (var pass in order.Chunk(PixelBatch.Most(ImagesPerPass, preprocessor.Length)))
        {
            if (embeddings.Count >= Sample) break;
            var wanted = pass[..Math.Min(pass.Length, Sample - embeddings.Count)];
            var pixels = new float[wanted.Length][];
            Parallel.For(0, wanted.Length, new ParallelOptions { CancellationToken = options.CancellationToken }, i =>
            {
                try
                {
                    var prepared = new float[preprocessor.Length];
                    preprocessor.ApplyTest(ImageDecoder.Decode(rows.Images[wanted[i]], options.ImageDecoding), prepared);
                    pixels[i] = prepared;
                }
                catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
                {
                    // Left out, as training did; where the policy is to fail, training would have.
                }
            });
            float[][] readable = [.. pixels.Where(p => p is not null)];
            if (readable.Length > 0) embeddings.AddRange(Encode(model, readable, type, options.Architecture));
        }
        return embeddings;
    }

    private static float[][] Encode(ClipModel model, float[][] pixels, int type, ClipArchitecture architecture)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var buffer = new float[pixels.Length * pixels[0].Length];
        for (var i = 0; i < pixels.Length; i++) pixels[i].CopyTo(buffer, i * pixels[0].Length);
        var images = PixelBatch.ToTensor(buffer, pixels.Length, architecture.ImageSize, model.Device);
        var types = PrefixResolution.ImageTypes(model, [(type, 1.0)], pixels.Length);
        return [.. model.EncodeImages(images, types).cpu().data<float>().ToArray().Chunk(architecture.EmbeddingSize)];   // [N, D]
    }
}
