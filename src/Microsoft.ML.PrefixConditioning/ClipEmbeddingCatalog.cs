using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace Microsoft.ML;

/// <summary>Embeddings of one column in <c>mlContext.Transforms</c>.</summary>
public static class ClipEmbeddingCatalog
{
    /// <summary>Adds the embeddings of a column of images, computed by a trained model.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Transforms</c>.</param>
    /// <param name="model">The trained model; do not dispose it while it is used for scoring.</param>
    /// <param name="outputColumnName">The added column.</param>
    /// <param name="inputColumnName">Column with the image: a path, a vector of bytes (an encoded file) or an ML.NET image. Null means
    /// <paramref name="outputColumnName"/>, which is then replaced.</param>
    /// <returns>An estimator. Its <c>Fit</c> reads no data.</returns>
    /// <remarks>The pipeline is saved with the model. To save it once for several columns, pass it to the first of these steps, which has
    /// images, and none to the others.</remarks>
    /// <exception cref="ArgumentException">A column name is empty.</exception>
    /// <example>
    /// <code>
    /// var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label")
    ///     .Append(mlContext.Transforms.ClipImageEmbedding(model, "Features", "Photo"))
    ///     .AppendCacheCheckpoint(mlContext)   // the trainer reads the rows many times
    ///     .Append(mlContext.MulticlassClassification.Trainers.SdcaMaximumEntropy());
    /// </code>
    /// </example>
    public static ClipEmbeddingEstimator ClipImageEmbedding(
        this TransformsCatalog catalog, PrefixClipTransformer model, string outputColumnName, string? inputColumnName = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Create(catalog, model, EmbeddedContent.Image, outputColumnName, inputColumnName, prefix: null);
    }

    /// <summary>Adds the embeddings of a column of images, with the model of a step before it in the pipeline: <c>PrefixClip</c>, or
    /// another step with image embeddings.</summary>
    /// <remarks>The step before saves the model. Other steps may stand in between if they keep its column of image embeddings.</remarks>
    /// <inheritdoc cref="ClipImageEmbedding(TransformsCatalog, PrefixClipTransformer, string, string?)"
    /// path="/param|/returns|/exception"/>
    public static ClipEmbeddingEstimator ClipImageEmbedding(
        this TransformsCatalog catalog, string outputColumnName, string? inputColumnName = null) =>
        Create(catalog, model: null, EmbeddedContent.Image, outputColumnName, inputColumnName, prefix: null);

    /// <summary>Adds the embeddings of a column of texts, computed by a trained model.</summary>
    /// <param name="catalog">The catalog, <c>mlContext.Transforms</c>.</param>
    /// <param name="model">The trained model; do not dispose it while it is used for scoring.</param>
    /// <param name="outputColumnName">The added column.</param>
    /// <param name="inputColumnName">Column with the text: text, or key with text key values. Null means
    /// <paramref name="outputColumnName"/>, which is then replaced. Texts are encoded as they are, without templates.</param>
    /// <param name="prefix">The prefix of all texts; null means the caption prefix.</param>
    /// <exception cref="ArgumentException">A column name is empty, or the prefix names a type that the model was not trained
    /// on.</exception>
    /// <inheritdoc cref="ClipImageEmbedding(TransformsCatalog, PrefixClipTransformer, string, string?)" path="/returns|/remarks"/>
    public static ClipEmbeddingEstimator ClipTextEmbedding(this TransformsCatalog catalog, PrefixClipTransformer model,
        string outputColumnName, string? inputColumnName = null, PrefixSelection? prefix = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Create(catalog, model, EmbeddedContent.Text, outputColumnName, inputColumnName, prefix);
    }

    /// <summary>Adds the embeddings of a column of texts, with the model of a step before it in the pipeline: <c>PrefixClip</c>, or
    /// another step with image embeddings.</summary>
    /// <inheritdoc cref="ClipImageEmbedding(TransformsCatalog, string, string?)" path="/remarks"/>
    /// <inheritdoc cref="ClipTextEmbedding(TransformsCatalog, PrefixClipTransformer, string, string?, PrefixSelection?)"
    /// path="/param|/returns|/exception"/>
    public static ClipEmbeddingEstimator ClipTextEmbedding(
        this TransformsCatalog catalog, string outputColumnName, string? inputColumnName = null, PrefixSelection? prefix = null) =>
        Create(catalog, model: null, EmbeddedContent.Text, outputColumnName, inputColumnName, prefix);

    private static ClipEmbeddingEstimator Create(TransformsCatalog catalog, PrefixClipTransformer? model, EmbeddedContent content,
        string outputColumnName, string? inputColumnName, PrefixSelection? prefix)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new ClipEmbeddingEstimator(
            CatalogUtils.GetEnvironment(catalog), model, new(content, inputColumnName ?? outputColumnName, outputColumnName, prefix));
    }
}
