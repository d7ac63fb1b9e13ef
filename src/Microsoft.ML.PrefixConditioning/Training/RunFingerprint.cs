using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What makes two training runs the same but for their seed; a checkpoint goes on only in a run with the same fingerprint.</summary>
internal static class RunFingerprint
{
    private const int Version = 2; // of what a checkpoint holds, and of how this package trains

    /// <summary>A hash of every option that changes the result, of the vocabulary and of all rows.</summary>
    /// <remarks>Images count by their path, or by their bytes where they are in memory; files are not opened.</remarks>
    public static string Of(TaggedRows rows, ClipTokenizer tokenizer, PrefixClipOptions options)
    {
        using var hashing = new HashingStream(Stream.Null);
        using (var writer = new BinaryWriter(new BufferedStream(hashing, 1 << 16)))
        {
            writer.Write(Version);
            writer.Write(JsonSerializer.Serialize(new
            {
                options.Architecture, options.PrefixLength, options.ImagePrefixLength,
                options.Loss, options.BatchComposition, Weights = options.DatasetTypeWeights?.OrderBy(w => w.Key, StringComparer.Ordinal),
                Templates = options.PromptTemplates.ToArray(), BatchSize = options.RowsPerStep, options.Epochs, options.LearningRate, options.WarmupSteps,
                options.LearningRateSchedule, options.WeightDecay, options.Beta1, options.Beta2, options.Epsilon, options.GradientClipNorm,
                options.MinCropScale, options.HorizontalFlipProbability, options.ImageDecoding, options.Seed, Types = rows.Types,
                options.Normalization, options.InitialWeightsHash, options.TrainableParts, options.FrozenVisionLayers, options.FrozenTextLayers,
                options.PrefixLearningRateFactor, options.LayerDecay,
            }));
            using var vocabulary = new MemoryStream();
            tokenizer.Save(vocabulary);
            writer.Write(vocabulary.ToArray());
            for (var row = 0; row < rows.Count; row++)
            {
                Write(writer, rows.Images[row]);
                writer.Write(rows.Texts[row]);
                writer.Write(rows.DatasetTypes[row]);
                writer.Write(rows.Labels[row]);
            }
            writer.Flush();
            return Convert.ToHexStringLower(hashing.Hash());
        }
    }

    private static void Write(BinaryWriter writer, ImageReference image)
    {
        writer.Write(image.Name);
        if ((image.Encoded ?? image.Pixels) is { } bytes) writer.Write(bytes);
    }
}
