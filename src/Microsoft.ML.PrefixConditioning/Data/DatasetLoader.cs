using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(DatasetLoader.Summary, typeof(DatasetLoader), null, typeof(SignatureLoadModel),
    "Dataset loader", DatasetLoader.LoaderSignature)]

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Loads datasets of one kind from any path; ML.NET saves it with a model.</summary>
internal sealed class DatasetLoader(IHostEnvironment environment, DatasetSource source) : IDataLoader<IMultiStreamSource>
{
    internal const string LoaderSignature = "ImageTextDataLoader";
    private const string Signature = "IMTXLOAD";
    internal const string Summary = "Loads images with captions or labels.";

    private static readonly Envelope Envelope = new("IMTXSET", 1, "data loader");

    /// <inheritdoc/>
    public IDataView Load(IMultiStreamSource input) => source.Load(environment, PathOf(input));

    /// <inheritdoc/>
    public DataViewSchema GetOutputSchema() => TextRowsView.SchemaOf(source.Columns.Names());

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        SavedComponent.WriteHeader(ctx, Signature, LoaderSignature);
        Envelope.WriteJson(ctx.Writer.BaseStream, source);
    }

    // Called by ML.NET's loader, which finds it by its name and parameters.
    private static DatasetLoader Create(IHostEnvironment env, ModelLoadContext ctx) => SavedComponent.Load(
        env, ctx, Signature, LoaderSignature,
        () => new DatasetLoader(env, Envelope.ReadJson<DatasetSource>(ctx.Reader.BaseStream, source => source.Check())));

    private static string PathOf(IMultiStreamSource input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.Count == 0)
            throw new ArgumentException(
                "The source has no path. Give the path of an image folder, an archive or a table.", nameof(input));
        if (input.Count > 1)
        {
            var paths = Enumerable.Range(0, input.Count).Select(i => input.GetPathOrNull(i) ?? "a stream").ToArray();
            throw new ArgumentException($"The source has {paths.Length} paths ({NearName.List(paths)}), expected one. Load each by a " +
                "call of its own and join the views with UnifyDatasets.", nameof(input));
        }
        return input.GetPathOrNull(0) ?? throw new ArgumentException("The source is a stream without a path, from which images cannot be " +
            "found. Save it as a file, and give the file's path.", nameof(input));
    }
}
