using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(ClipEmbeddingTransformer.Summary, typeof(ClipEmbeddingTransformer), null, typeof(SignatureLoadModel),
    "CLIP embedding transformer", ClipEmbeddingTransformer.LoaderSignature)]

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Adds the embeddings of one column of images or texts, computed by a CLIP model.</summary>
/// <remarks>
/// <para>Adds a vector of float, unit length, of the model's embedding size. Rows are read ahead and encoded in batches. Every pass over
/// the view encodes again: for several passes, add <c>mlContext.Data.Cache</c> or <c>AppendCacheCheckpoint</c>. ML.NET's log warns at the
/// third pass.</para>
/// <para>Reading the embedding of an unreadable image throws <see cref="InvalidDataException"/>, or gives a vector of NaN if the model's
/// policy is to skip. A missing text is encoded as an empty one.</para>
/// <para>Safe for use from many threads. It saves and loads with <c>mlContext.Model</c> like ML.NET's own transformers. A fitted
/// transformer shares the model that it was given; a loaded one owns its own. Without a model of its own it uses and saves none: it takes
/// that of the step before in the pipeline, so score with the whole pipeline.</para>
/// <para>ML.NET's <c>ConvertToOnnx</c> exports embeddings of images, computed from an input of pixels; those of texts are a
/// <see cref="NotSupportedException"/>. See docs/onnx.md.</para>
/// </remarks>
public sealed class ClipEmbeddingTransformer : ITransformer, IDisposable
{
    internal const string LoaderSignature = "ClipEmbedding";
    private const string Signature = "CLIPEMBD";
    internal const string Summary = "Adds the embeddings of one column of images or texts with a CLIP model.";
    private const string ModelName = "Model";

    private readonly IHostEnvironment _environment;
    private readonly PrefixClipTransformer? _model;   // null: that of the step before
    private readonly EmbeddedColumn _column;
    private readonly bool _ownsModel;

    internal ClipEmbeddingTransformer(
        IHostEnvironment environment, PrefixClipTransformer? model, EmbeddedColumn column, bool ownsModel) =>
        (_environment, _model, _column, _ownsModel) = (environment, model, column, ownsModel);

    /// <inheritdoc/>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ScoringView(_environment, input, CreateMapper(input.Schema), this);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing or has the wrong type.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => CreateMapper(inputSchema).OutputSchema;

    /// <inheritdoc/>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => CreateMapper(inputSchema);

    bool ITransformer.IsRowToRowMapper => true;

    private EmbeddingMapper CreateMapper(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var model = _model ?? ModelAnnotation.Find(input, _column.Consumer).Model;
        return new EmbeddingMapper(model, input, [_column], "inputColumnName");
    }

    // EmbeddedColumn's layout, and the model as a sub-model of its own, unless another step saves it.
    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        SavedComponent.WriteHeader(ctx, Signature, LoaderSignature);
        _column.Write(ctx.Writer);
        if (_model is not null) ctx.SaveModel(_model, ModelName);
    }

    // Called by ML.NET's loader, which finds it by its name and parameters.
    private static ClipEmbeddingTransformer Create(IHostEnvironment env, ModelLoadContext ctx) => SavedComponent.Load(
        env, ctx, Signature, LoaderSignature, () =>
    {
        var column = EmbeddedColumn.Read(ctx.Reader);
        ctx.LoadModelOrNull<PrefixClipTransformer, SignatureLoadModel>(env, out var model, ModelName);
        return new ClipEmbeddingTransformer(env, model, column, ownsModel: true);
    });

    /// <summary>Releases the model if the transformer owns it, that is, if it was loaded from a file.</summary>
    public void Dispose()
    {
        if (_ownsModel) _model?.Dispose();
    }
}
