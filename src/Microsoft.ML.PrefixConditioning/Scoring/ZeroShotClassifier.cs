using System.Numerics.Tensors;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Class names, their embeddings and column names: a zero-shot classifier without its model. C classes, D embedding
/// size.</summary>
internal sealed record ZeroShotClassifier
{
    private static readonly Envelope Envelope = new("ZEROSHO", 2, "zero-shot classifier");

    public required string[] ClassNames { get; init; }

    /// <summary>[C, D] row by row, unit length.</summary>
    public required float[] Embeddings { get; init; }

    /// <summary>D.</summary>
    public int EmbeddingSize => Embeddings.Length / ClassNames.Length;

    /// <summary>The factor from cosine similarity to logit.</summary>
    public required float LogitScale { get; init; }

    public required PrefixSelection Prefix { get; init; }
    public required string ImageColumnName { get; init; }
    public required string LabelColumnName { get; init; }
    public required string ScoreColumnName { get; init; }
    public required string PredictedLabelColumnName { get; init; }

    /// <summary>Since version 2; null for none.</summary>
    public string? PredictedClassColumnName { get; init; }

    /// <summary>Probabilities of an image: softmax of the scaled cosines.</summary>
    /// <param name="image">[D], unit length; NaN for a missing image.</param>
    /// <param name="scores">[C], filled.</param>
    public void Score(ReadOnlySpan<float> image, Span<float> scores)
    {
        var (largest, sum) = (float.NegativeInfinity, 0.0);
        for (var c = 0; c < scores.Length; c++)
        {
            scores[c] = LogitScale * TensorPrimitives.Dot(image, Embeddings.AsSpan(c * image.Length, image.Length));
            largest = MathF.Max(largest, scores[c]);
        }
        for (var c = 0; c < scores.Length; c++)
        {
            scores[c] = MathF.Exp(scores[c] - largest);   // large logits do not overflow
            sum += scores[c];
        }
        for (var c = 0; c < scores.Length; c++) scores[c] /= (float)sum;
    }

    /// <summary>What an ONNX graph needs of it.</summary>
    public OnnxClasses ToOnnx() => new(ClassNames, Embeddings, LogitScale, Prefix);

    /// <summary>Writes the classifier.</summary>
    // Content of the envelope, an item for each class: C strings; i32 C * D, floats; f32 scale; the prefix;
    // five column names, of which the last may be empty.
    public void Write(BinaryWriter target) => Envelope.Write(target.BaseStream, ClassNames.Length, writer =>
    {
        foreach (var name in ClassNames) writer.Write(name);
        writer.Write(Embeddings.Length);
        foreach (var value in Embeddings) writer.Write(value);
        writer.Write(LogitScale);
        SavedPrefix.Write(writer, Prefix);
        foreach (var name in new[] { ImageColumnName, LabelColumnName, ScoreColumnName, PredictedLabelColumnName }) writer.Write(name);
        writer.Write(PredictedClassColumnName ?? "");
    });

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="source">The stream, which may be damaged.</param>
    /// <param name="embeddingSize">D of the model that the classifier belongs to; null where the file has none.</param>
    /// <exception cref="InvalidDataException">The data are damaged, of a newer version, or from another model.</exception>
    public static ZeroShotClassifier Read(BinaryReader source, int? embeddingSize) => Envelope.Read(source.BaseStream, (classes, reader) =>
    {
        var names = new string[classes];
        for (var i = 0; i < names.Length; i++) names[i] = reader.ReadString();
        var embeddings = new float[reader.ReadInt32()];
        for (var i = 0; i < embeddings.Length; i++) embeddings[i] = reader.ReadSingle();
        if (embeddings.Length != names.Length * (embeddingSize ?? embeddings.Length / Math.Max(1, names.Length)))
            throw new InvalidDataException(
                $"The zero-shot classifier has {embeddings.Length} numbers for {names.Length} classes; the model's embeddings have " +
                $"{embeddingSize} each. The file is damaged.");
        var scale = reader.ReadSingle();
        return new ZeroShotClassifier
        {
            ClassNames = names, Embeddings = embeddings, LogitScale = scale,
            Prefix = SavedPrefix.Read(reader),
            ImageColumnName = reader.ReadString(), LabelColumnName = reader.ReadString(),
            ScoreColumnName = reader.ReadString(), PredictedLabelColumnName = reader.ReadString(),
            PredictedClassColumnName = reader.BaseStream.Position < reader.BaseStream.Length && reader.ReadString() is { Length: > 0 } text
                ? text : null,
        };
    });
}
