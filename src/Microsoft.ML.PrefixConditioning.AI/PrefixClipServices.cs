using Microsoft.ML;
using Microsoft.ML.PrefixConditioning;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registration of a model and its embedding generators.</summary>
public static class PrefixClipServices
{
    /// <summary>Registers a model in files, and generators of text and image embeddings, as singletons.</summary>
    /// <param name="services">The services.</param>
    /// <param name="path">A file that <c>mlContext.Model.Save</c> wrote (.zip or .mlnet), or what
    /// <see cref="PrefixClipCatalog.LoadClip"/> takes: a folder, a weight file, or the name of a model on Hugging Face's hub.</param>
    /// <param name="prefix">The prefix of calls whose options set none; null means the caption prefix.</param>
    /// <param name="modelId">The model's name in metadata and embeddings.</param>
    /// <param name="options">Settings that weights do not contain; null for a saved model.</param>
    /// <returns>The same services.</returns>
    /// <remarks>
    /// This call checks that the files exist. The model is loaded once, when it or a generator is first resolved; to load it at start,
    /// resolve <see cref="PrefixClipTransformer"/>. It is loaded with the registered <see cref="MLContext"/>, if there is one. The
    /// container disposes the model.
    /// </remarks>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="ArgumentException">The path is empty, or options are given for a saved model.</exception>
    public static IServiceCollection AddPrefixClip(this IServiceCollection services, string path, PrefixSelection? prefix = null,
        string modelId = ClipEmbeddings.DefaultModelId, ClipLoadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var isSaved = Path.GetExtension(path).ToLowerInvariant() is ".zip" or ".mlnet";
        if (!Path.Exists(path) && (isSaved || HubModel.Parse(path) is null))
            throw new FileNotFoundException($"There is no model at '{Path.GetFullPath(path)}'. Pass a saved model (.zip or .mlnet), a " +
                "folder with weights, configuration and vocabulary, or a name on the hub (hf://owner/name).", path);
        if (isSaved && options is not null)
            throw new ArgumentException("A saved model contains its settings; pass options only for weights.", nameof(options));
        services.AddSingleton(provider =>
        {
            var mlContext = provider.GetService<MLContext>() ?? new MLContext();
            return isSaved ? LoadSaved(mlContext, path) : mlContext.Model.LoadClip(path, options);
        });
        return AddGenerators(services, prefix, modelId);
    }

    /// <summary>Registers a loaded model, and generators of text and image embeddings, as singletons.</summary>
    /// <param name="services">The services.</param>
    /// <param name="model">The model. The container does not dispose it.</param>
    /// <param name="prefix">The prefix of calls whose options set none; null means the caption prefix.</param>
    /// <param name="modelId">The model's name in metadata and embeddings.</param>
    /// <returns>The same services.</returns>
    public static IServiceCollection AddPrefixClip(this IServiceCollection services, PrefixClipTransformer model,
        PrefixSelection? prefix = null, string modelId = ClipEmbeddings.DefaultModelId)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(model);
        return AddGenerators(services.AddSingleton(model), prefix, modelId);
    }

    private static IServiceCollection AddGenerators(IServiceCollection services, PrefixSelection? prefix, string modelId)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(modelId);
        return services
            .AddSingleton(provider => provider.GetRequiredService<PrefixClipTransformer>().AsTextEmbeddingGenerator(prefix, modelId))
            .AddSingleton(provider => provider.GetRequiredService<PrefixClipTransformer>().AsImageEmbeddingGenerator(prefix, modelId));
    }

    private static PrefixClipTransformer LoadSaved(MLContext mlContext, string path)
    {
        var loaded = mlContext.Model.Load(path, out _);
        var model = (loaded as IEnumerable<ITransformer> ?? [loaded]).OfType<PrefixClipTransformer>().LastOrDefault();
        if (model is not null) return model;
        (loaded as IDisposable)?.Dispose();
        throw new InvalidDataException($"The saved model '{path}' is a {loaded.GetType().Name} without a " +
            $"{nameof(PrefixClipTransformer)}; save the result of PrefixClip's Fit, or a pipeline that contains it.");
    }
}
