using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The columns that <see cref="ZeroShotClassificationTransformer"/> adds to a pipeline, and the one it reads.</summary>
internal static class ZeroShotColumns
{
    /// <summary>A pipeline's schema with the added columns.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The label column is a key without names.</exception>
    public static SchemaShape AddTo(SchemaShape input, ZeroShotClassificationOptions options)
    {
        var (label, score, predictedLabel) = (options.LabelColumnName, options.ScoreColumnName, options.PredictedLabelColumnName);
        var columns = input.ToDictionary(c => c.Name, StringComparer.Ordinal);
        var scoreAnnotations = new SchemaShape(AnnotationUtils.GetTrainerOutputAnnotation()
            .Append(Names(AnnotationUtils.Kinds.SlotNames)).Append(Names(AnnotationUtils.Kinds.TrainingLabelValues)));
        columns[score] = new(score, SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, isKey: false, scoreAnnotations);
        columns[predictedLabel] = Key(predictedLabel, AnnotationUtils.GetTrainerOutputAnnotation());
        if (options.PredictedClassColumnName is { } name)
            columns[name] = new(name, SchemaShape.Column.VectorKind.Scalar, TextDataViewType.Instance, isKey: false);
        if (columns.TryGetValue(label, out var column) && IsLabel(column)) columns[label] = Key(label, []);
        else if (column is { IsKey: true, Kind: SchemaShape.Column.VectorKind.Scalar })
            throw ColumnReader.KeyWithoutNames(label, column.GetTypeString(), nameof(ZeroShotClassificationOptions.LabelColumnName));
        return new SchemaShape(columns.Values);
    }

    private static bool IsLabel(SchemaShape.Column column) =>
        column.Kind == SchemaShape.Column.VectorKind.Scalar && (column.ItemType is TextDataViewType || (column.IsKey
            && column.Annotations.TryFindColumn(AnnotationUtils.Kinds.KeyValues, out var values) && values.ItemType is TextDataViewType));

    private static SchemaShape.Column Key(string name, IEnumerable<SchemaShape.Column> annotations) => new(
        name, SchemaShape.Column.VectorKind.Scalar, NumberDataViewType.UInt32, isKey: true,
        new SchemaShape(annotations.Append(Names(AnnotationUtils.Kinds.KeyValues))));

    private static SchemaShape.Column Names(string kind) =>
        new(kind, SchemaShape.Column.VectorKind.Vector, TextDataViewType.Instance, isKey: false);

    /// <summary>The column of that name: images, or embeddings from the model.</summary>
    /// <param name="input">Schema of the input.</param>
    /// <param name="name">Name of the column.</param>
    /// <param name="embeddingSize">D of the model.</param>
    /// <param name="setting">The option or argument that names another column.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such column, or its type does not fit.</exception>
    public static DataViewSchema.Column RequireImage(DataViewSchema input, string name, int embeddingSize,
        string setting = nameof(ZeroShotClassificationOptions.ImageColumnName))
    {
        var column = ColumnReader.Require(input, name, setting);
        if (!IsEmbedding(column)) return ColumnReader.RequireImage(input, name, setting);
        return ((VectorDataViewType)column.Type).Size == embeddingSize ? column : throw new ArgumentOutOfRangeException(nameof(input),
            $"Column '{name}' is {column.Type}; this model's embeddings have {embeddingSize} numbers. " +
            $"Set {setting} to a column with embeddings from this model, or with images.");
    }

    /// <summary>Checks that the selection uses the default image prefix, with which embeddings are computed.</summary>
    /// <exception cref="ArgumentException">It uses another one.</exception>
    public static void RequireSameImagePrefix(string name, PrefixSelection? prefix, ModelSettings model)
    {
        if (EmbeddingsFit(prefix, model)) return;
        throw new ArgumentException(
            $"Column '{name}' has embeddings that were computed with the image prefix of " +
            $"'{PrefixResolution.Default(model.DatasetTypes)}'; '{prefix}' needs another image prefix. Set " +
            $"{nameof(ZeroShotClassificationOptions.ImageColumnName)} to the image column.");
    }

    /// <summary>Whether the model's column of embeddings is made with the image prefix that a selection needs.</summary>
    public static bool EmbeddingsFit(PrefixSelection? prefix, ModelSettings model)
    {
        int? Type(PrefixSelection? selection) =>
            PrefixResolution.ImageType(model.ImagePrefixLength, PrefixResolution.Resolve(selection, model.DatasetTypes));
        return model.ImagePrefixLength == 0 || (prefix is not { IsAuto: true } && Type(prefix) == Type(null));
    }

    /// <summary>Whether a column holds embeddings instead of images.</summary>
    public static bool IsEmbedding(DataViewSchema.Column column) =>
        column.Type is VectorDataViewType vector && vector.ItemType == NumberDataViewType.Single;
}
