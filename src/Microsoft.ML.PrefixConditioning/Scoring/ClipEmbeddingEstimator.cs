using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Creates a transformer that adds the embeddings of one column of images or texts.</summary>
/// <remarks>Created by <c>mlContext.Transforms.ClipImageEmbedding</c> and <c>ClipTextEmbedding</c>. It learns nothing from data.</remarks>
public sealed class ClipEmbeddingEstimator : IEstimator<ClipEmbeddingTransformer>
{
    private readonly IHostEnvironment _environment;
    private readonly PrefixClipTransformer? _model;   // null: that of the step before
    private readonly EmbeddedColumn _column;

    internal ClipEmbeddingEstimator(IHostEnvironment environment, PrefixClipTransformer? model, EmbeddedColumn column)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(column.Output, "outputColumnName");
        ArgumentException.ThrowIfNullOrWhiteSpace(column.Input, "inputColumnName");
        if (model is not null) PrefixResolution.Resolve(column.Prefix, model.Trained.Settings.DatasetTypes);   // an error now, not in Fit
        (_environment, _model, _column) = (environment, model, column);
    }

    /// <summary>Creates the transformer. It reads no rows.</summary>
    /// <param name="input">A view with the input column.</param>
    /// <returns>The transformer. It shares the model; do not dispose the model first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidOperationException">No model was passed, and the input has the embeddings of no <c>PrefixClip</c> step or of
    /// several.</exception>
    /// <exception cref="ArgumentException">The prefix names a type that the model was not trained on.</exception>
    public ClipEmbeddingTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var types = (_model ?? ModelAnnotation.Find(input.Schema, _column.Consumer).Model).DatasetTypes;
        PrefixResolution.Resolve(_column.Prefix, types);
        var column = _column with { Prefix = _column.Prefix ?? PrefixResolution.Default(types) };
        var transformer = new ClipEmbeddingTransformer(_environment, _model, column, ownsModel: false);
        transformer.GetOutputSchema(input.Schema);   // an error now, not at the first row
        return transformer;
    }

    /// <summary>Returns the columns of the transformer's output, given those of the input.</summary>
    /// <inheritdoc cref="Fit" path="/exception"/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        if (_model is not null) return EmbeddingColumns.AddTo(inputSchema, _column, ModelAnnotation.ShapeOf(_model));
        var (found, types) = ModelAnnotation.Find(inputSchema, _column.Consumer);
        PrefixResolution.Resolve(_column.Prefix, types);
        return EmbeddingColumns.AddTo(inputSchema, _column, inputSchema.First(c => c.Name == found).Annotations);
    }
}
