namespace Microsoft.ML.PrefixConditioning;

/// <summary>A column of embeddings and what it is computed from: the state of <see cref="ClipEmbeddingTransformer"/>.</summary>
/// <param name="Content">What the input column has.</param>
/// <param name="Input">Name of the input column.</param>
/// <param name="Output">Name of the added column.</param>
/// <param name="Prefix">The prefix; null means the caption prefix.</param>
internal sealed record EmbeddedColumn(EmbeddedContent Content, string Input, string Output, PrefixSelection? Prefix = null)
{
    private static readonly Envelope Envelope = new("EMBCOLM", 1, "column of embeddings");

    /// <summary>What messages say where the column's model is looked for.</summary>
    public ModelConsumer Consumer => new($"Clip{Content}Embedding", "outputColumnName, inputColumnName", "Pass the model to use.");

    /// <summary>Writes the column, whose prefix is not null.</summary>
    // Content of the envelope, one item: i32 content; two names; the prefix.
    public void Write(BinaryWriter target) => Envelope.Write(target.BaseStream, items: 1, writer =>
    {
        writer.Write((int)Content);
        writer.Write(Input);
        writer.Write(Output);
        SavedPrefix.Write(writer, Prefix!);
    });

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The data are damaged or of a newer version.</exception>
    public static EmbeddedColumn Read(BinaryReader source) => Envelope.Read(source.BaseStream, (_, reader) =>
    {
        var content = (EmbeddedContent)reader.ReadInt32();
        return Enum.IsDefined(content)
            ? new EmbeddedColumn(content, reader.ReadString(), reader.ReadString(), SavedPrefix.Read(reader))
            : throw new FormatException($"its kind is {(int)content}.");
    });
}

/// <summary>What is encoded. Files have the numbers.</summary>
internal enum EmbeddedContent
{
    Image = 0,
    Text = 1,
}
