using System.Numerics.Tensors;
using System.Security.Cryptography;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Class names, their embeddings and column names: all of a zero-shot classifier but the model. C classes, D embedding
/// size.</summary>
internal sealed record ZeroShotClassifier
{
    private const int FormatVersion = 1;

    public required string[] ClassNames { get; init; }

    /// <summary>[C, D] row by row, unit length.</summary>
    public required float[] Embeddings { get; init; }

    /// <summary>The factor between cosine similarity and logit.</summary>
    public required float LogitScale { get; init; }

    public required PrefixSelection Prefix { get; init; }
    public required string ImageColumnName { get; init; }
    public required string LabelColumnName { get; init; }
    public required string ScoreColumnName { get; init; }
    public required string PredictedLabelColumnName { get; init; }

    /// <summary>Probabilities of an image: softmax of the scaled cosines.</summary>
    /// <param name="image">[D], unit length; NaN for a missing image.</param>
    /// <param name="scores">[C], filled.</param>
    public void Score(ReadOnlySpan<float> image, Span<float> scores)
    {
        for (var c = 0; c < scores.Length; c++)
            scores[c] = LogitScale * TensorPrimitives.Dot(image, Embeddings.AsSpan(c * image.Length, image.Length));
        var largest = TensorPrimitives.Max(scores);
        TensorPrimitives.Subtract(scores, largest, scores);   // before exp, so that large logits do not overflow
        TensorPrimitives.Exp(scores, scores);
        TensorPrimitives.Divide(scores, TensorPrimitives.Sum(scores), scores);
    }

    /// <summary>Writes all of the classifier.</summary>
    // i32 length of the rest without the hash; i32 version; i32 C, C strings; i32 C * D, floats; f32 scale; i32 prefixes, then string
    // and f64 each; four column names; SHA-256 from the version on.
    public void Write(BinaryWriter target)
    {
        using var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory);
        writer.Write(FormatVersion);
        writer.Write(ClassNames.Length);
        foreach (var name in ClassNames) writer.Write(name);
        writer.Write(Embeddings.Length);
        foreach (var value in Embeddings) writer.Write(value);
        writer.Write(LogitScale);
        writer.Write(Prefix.Weights.Count);
        foreach (var (type, weight) in Prefix.Weights)
        {
            writer.Write(type);
            writer.Write(weight);
        }
        foreach (var name in new[] { ImageColumnName, LabelColumnName, ScoreColumnName, PredictedLabelColumnName }) writer.Write(name);
        writer.Flush();
        var bytes = memory.ToArray();
        target.Write(bytes.Length);
        target.Write(bytes);
        target.Write(SHA256.HashData(bytes));
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="source">The stream, which may be damaged.</param>
    /// <param name="embeddingSize">D of the model that the classifier belongs to.</param>
    /// <exception cref="InvalidDataException">The data are damaged, of a newer version, or of another model.</exception>
    public static ZeroShotClassifier Read(BinaryReader source, int embeddingSize)
    {
        try
        {
            var bytes = ReadBytes(source, source.ReadInt32());
            var (hash, expected) = (SHA256.HashData(bytes), source.ReadBytes(SHA256.HashSizeInBytes));
            if (!hash.AsSpan().SequenceEqual(expected))
                throw new InvalidDataException(
                    $"The zero-shot classifier in the model file is not what was saved: its SHA-256 is {Convert.ToHexStringLower(hash)}, " +
                    $"expected {Convert.ToHexStringLower(expected)}. The file was changed or damaged: restore it from a copy.");
            using var reader = new BinaryReader(new MemoryStream(bytes));
            var version = reader.ReadInt32();
            if (version is < 1 or > FormatVersion)
                throw new InvalidDataException(
                    $"The zero-shot classifier has format version {version}; this version of the package reads 1 to {FormatVersion}. " +
                    "Update Microsoft.ML.PrefixConditioning to load it.");
            var names = new string[reader.ReadInt32()];
            for (var i = 0; i < names.Length; i++) names[i] = reader.ReadString();
            var embeddings = new float[reader.ReadInt32()];
            for (var i = 0; i < embeddings.Length; i++) embeddings[i] = reader.ReadSingle();
            if (embeddings.Length != names.Length * embeddingSize)
                throw new InvalidDataException(
                    $"The zero-shot classifier has {embeddings.Length} numbers for {names.Length} classes; the model's embeddings have " +
                    $"{embeddingSize} each. The file is damaged.");
            var scale = reader.ReadSingle();
            var prefixes = new (string, double)[reader.ReadInt32()];
            for (var i = 0; i < prefixes.Length; i++) prefixes[i] = (reader.ReadString(), reader.ReadDouble());
            return new ZeroShotClassifier
            {
                ClassNames = names, Embeddings = embeddings, LogitScale = scale,
                Prefix = prefixes.Length == 0 ? PrefixSelection.None : PrefixSelection.Blend(prefixes),
                ImageColumnName = reader.ReadString(), LabelColumnName = reader.ReadString(),
                ScoreColumnName = reader.ReadString(), PredictedLabelColumnName = reader.ReadString(),
            };
        }
        catch (Exception e) when (e is EndOfStreamException or ArgumentException or OverflowException or FormatException)
        {
            throw new InvalidDataException(
                $"The zero-shot classifier in the model file is damaged: {e.Message} Restore the file from a copy.", e);
        }
    }

    /// <summary>Reads bytes as they come: a damaged length must not take memory that no data fill.</summary>
    private static byte[] ReadBytes(BinaryReader source, int count)
    {
        const int MostAtOnce = 1 << 20;
        using var bytes = new MemoryStream();
        while (bytes.Length < count)
        {
            var part = source.ReadBytes((int)Math.Min(MostAtOnce, count - bytes.Length));
            if (part.Length == 0) throw new EndOfStreamException($"It has {bytes.Length} bytes, expected {count}.");
            bytes.Write(part);
        }
        return bytes.ToArray();
    }
}
