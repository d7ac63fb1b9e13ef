using System.Runtime.CompilerServices;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The annotation that leads from a column of image embeddings to the model that computes them.</summary>
/// <remarks>
/// ML.NET passes an estimator nothing but the view of the step before. Other transforms, filters and caches keep the annotations of the
/// columns that they pass on, so the model is found behind them too. Rows saved to a file lose it. See docs/decisions/0014.
/// </remarks>
internal static class ModelAnnotation
{
    private const string Kind = "ClipModel";

    /// <summary>The annotation of a trained model's column.</summary>
    public static DataViewSchema.Annotations Of(PrefixClipTransformer model)
    {
        var builder = new DataViewSchema.Annotations.Builder();
        builder.Add(Kind, new ModelType(model.DatasetTypes, model), (ref PrefixClipTransformer value) => value = model);
        return builder.ToAnnotations();
    }

    /// <summary>The same, as the shape of a pipeline that is not fitted.</summary>
    public static SchemaShape ShapeOf(PrefixClipTransformer model) => Shape(new ModelType(model.DatasetTypes, model));

    /// <summary>The annotation of the column of a model that is still to be trained.</summary>
    /// <param name="datasetTypes">The dataset types that it may be trained on.</param>
    public static SchemaShape ShapeOf(IReadOnlyList<DatasetType> datasetTypes) => Shape(new ModelType(datasetTypes, model: null));

    private static SchemaShape Shape(ModelType type) =>
        new([new SchemaShape.Column(Kind, SchemaShape.Column.VectorKind.Scalar, type, isKey: false)]);

    /// <summary>The annotated column, and its model.</summary>
    /// <param name="input">Schema of the input.</param>
    /// <param name="consumer">Which step needs the model.</param>
    /// <param name="preferred">The column to take where those of several models are annotated.</param>
    /// <exception cref="InvalidOperationException">No column is annotated, or several models' are and none of them is
    /// preferred.</exception>
    public static (string Column, PrefixClipTransformer Model) Find(
        DataViewSchema input, ModelConsumer consumer, string? preferred = null) =>
        Choose([.. input.Where(c => !c.IsHidden).Select(c => (c.Name, ModelOf(c.Annotations)))], consumer, preferred);

    /// <summary>The annotated column, and the dataset types that its model may be trained on.</summary>
    /// <inheritdoc cref="Find(DataViewSchema, ModelConsumer, string?)" path="/param|/exception"/>
    public static (string Column, IReadOnlyList<DatasetType> DatasetTypes) Find(
        SchemaShape input, ModelConsumer consumer, string? preferred = null)
    {
        var (column, type) = Choose([.. input.Select(c => (c.Name, TypeOf(c.Annotations)))], consumer, preferred);
        return (column, type.DatasetTypes);
    }

    private static PrefixClipTransformer? ModelOf(DataViewSchema.Annotations annotations)
    {
        if (annotations.Schema.GetColumnOrNull(Kind) is null) return null;
        PrefixClipTransformer model = null!;
        annotations.GetValue(Kind, ref model);
        return model;
    }

    private static ModelType? TypeOf(SchemaShape annotations) =>
        annotations.TryFindColumn(Kind, out var found) ? found.ItemType as ModelType : null;

    private static (string Column, T Model) Choose<T>(
        (string Column, T? Model)[] columns, ModelConsumer consumer, string? preferred) where T : class
    {
        var found = columns.Where(c => c.Model is not null).Select(c => (c.Column, c.Model!)).ToArray();
        if (Array.FindIndex(found, c => c.Column == preferred) is >= 0 and var at) return found[at];
        return found.DistinctBy(c => c.Item2).Count() switch
        {
            1 => found[0],
            0 => throw new InvalidOperationException(
                $"The input has the columns {NearName.List([.. columns.Select(c => c.Column)])}, and none with the image embeddings of a " +
                $"PrefixClip step. Where no model is passed, {consumer.Step} takes that of a PrefixClip step before it: write " +
                $"PrefixClip(options).Append({consumer.Step}({consumer.Arguments})) and keep the column of image embeddings in between, " +
                $"or pass a trained model, {consumer.Step}(model, {consumer.Arguments})."),
            _ => throw new InvalidOperationException(
                $"The columns {NearName.List([.. found.Select(c => c.Column)])} have image embeddings of several PrefixClip steps. " +
                consumer.Choice),
        };
    }

    /// <summary>The annotation's type, which is known before the model is trained. Until then, one object stands for one
    /// model.</summary>
    private sealed class ModelType(IReadOnlyList<DatasetType> datasetTypes, PrefixClipTransformer? model)
        : StructuredDataViewType(typeof(PrefixClipTransformer))
    {
        private readonly PrefixClipTransformer? _model = model;

        public IReadOnlyList<DatasetType> DatasetTypes => datasetTypes;

        public override bool Equals(DataViewType? other) =>
            ReferenceEquals(this, other) || (_model is not null && other is ModelType { _model: { } one } && ReferenceEquals(_model, one));

        public override bool Equals(object? obj) => Equals(obj as DataViewType);

        public override int GetHashCode() => RuntimeHelpers.GetHashCode((object?)_model ?? this);

        public override string ToString() => "Model";
    }
}

/// <summary>The step that needs a model, for messages.</summary>
/// <param name="Step">Its name in the catalog.</param>
/// <param name="Arguments">Its arguments behind the model.</param>
/// <param name="Choice">What to do where there are several models.</param>
internal sealed record ModelConsumer(string Step, string Arguments, string Choice);
