using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What makes two training runs the same. A checkpoint continues only in a run with the same fingerprint.</summary>
internal static class RunFingerprint
{
    private const int Version = 3; // of what a checkpoint holds, and of how this package trains

    /// <summary>Options that do not change the result, or that <see cref="TrainingSetup"/> states exactly.</summary>
    internal static readonly HashSet<string> LeftOut = new(StringComparer.Ordinal)
    {
        nameof(PrefixClipOptions.Architecture), nameof(PrefixClipOptions.InitialWeights), nameof(PrefixClipOptions.DatasetTypes),
        nameof(PrefixClipOptions.VocabularyPath), nameof(PrefixClipOptions.VocabularySize), nameof(PrefixClipOptions.BatchSize),
        nameof(PrefixClipOptions.Columns), nameof(PrefixClipOptions.ChunkSize), nameof(PrefixClipOptions.BadRows),
        nameof(PrefixClipOptions.MaxBadRowFraction), nameof(PrefixClipOptions.ImageCacheMegabytes), nameof(PrefixClipOptions.Device),
        nameof(PrefixClipOptions.ValidationSet), nameof(PrefixClipOptions.ValidationPrefix), nameof(PrefixClipOptions.Checkpoints),
        nameof(PrefixClipOptions.Progress), nameof(PrefixClipOptions.CancellationToken),
    };

    /// <summary>A hash of every option that changes the result, of the vocabulary and of all rows.</summary>
    /// <remarks>Images count by their path, or by their bytes where they are in memory; files are not opened.</remarks>
    public static string Of(TaggedRows rows, ClipTokenizer tokenizer, TrainingSetup run)
    {
        using var hashing = new HashingStream(Stream.Null);
        using (var writer = new BinaryWriter(new BufferedStream(hashing, 1 << 16)))
        {
            writer.Write(Version);
            writer.Write(JsonSerializer.Serialize(new
            {
                Options = Options(run.Options), run.BatchSize, run.InitialWeightsHash,
                run.Model.Architecture, run.Model.Normalization, run.Model.DatasetTypes,
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

    private static JsonObject Options(PrefixClipOptions options) => new(
        from property in typeof(PrefixClipOptions).GetProperties()
        where property.CanWrite && !LeftOut.Contains(property.Name)
        let value = property.GetValue(options)
        select KeyValuePair.Create(property.Name, JsonSerializer.SerializeToNode(value is IReadOnlyDictionary<string, double> weights
            ? weights.OrderBy(w => w.Key, StringComparer.Ordinal)   // a dictionary has no order of its own
            : value)));

    private static void Write(BinaryWriter writer, ImageReference image)
    {
        writer.Write(image.Name);
        if ((image.Encoded ?? image.Pixels) is { } bytes) writer.Write(bytes);
    }
}
