using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Creates a transformer that adds the pixels which a model's vision tower reads.</summary>
/// <remarks>Created by <see cref="PrefixClipCatalog.ClipPixels"/>. It learns nothing from data.</remarks>
public sealed class ClipPixelsEstimator : IEstimator<ClipPixelsTransformer>
{
    private readonly IHostEnvironment _environment;
    private readonly ClipPixelsSettings _settings;

    internal ClipPixelsEstimator(IHostEnvironment environment, ClipPixelsSettings settings) =>
        (_environment, _settings) = (environment, settings);

    /// <summary>Creates the transformer. It reads no rows.</summary>
    /// <param name="input">A view with the image column.</param>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    public ClipPixelsTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var transformer = new ClipPixelsTransformer(_environment, _settings);
        transformer.GetOutputSchema(input.Schema);   // an error now, not at the first row
        return transformer;
    }

    /// <summary>Returns the columns of the transformer's output, given those of the input.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The image column is missing or has the wrong type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        EmbeddingColumns.RequireImage(inputSchema, _settings.ImageColumnName, "inputColumnName", embeddingsFit: false);
        var columns = inputSchema.ToDictionary(c => c.Name, StringComparer.Ordinal);
        columns[_settings.OutputColumnName] =
            new(_settings.OutputColumnName, SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, isKey: false);
        return new SchemaShape(columns.Values);
    }
}
