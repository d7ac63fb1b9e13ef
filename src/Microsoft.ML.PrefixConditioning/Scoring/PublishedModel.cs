using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A published CLIP model as a transformer.</summary>
internal static class PublishedModel
{
    /// <summary>Reads a folder or a file.</summary>
    public static PrefixClipTransformer Load(IHostEnvironment environment, string path, ClipLoadOptions options)
    {
        options.Validate();
        var device = TorchDevice.Resolve(options.Device, GpuSettings.Of(environment));
        using var pretrained = PretrainedClip.Open(path, new PretrainedWishes
        {
            Activation = options.Activation, VisionHeads = options.VisionHeads, TextHeads = options.TextHeads,
            ImageSize = options.ImageSize,
        });
        var tokenizer = pretrained.ReadTokenizer(options.VocabularyPath);
        pretrained.LogWarnings(environment);
        var settings = new ModelSettings
        {
            Architecture = pretrained.Architecture, VocabularySize = tokenizer.VocabularySize,
            DatasetTypes = pretrained.Prefixes.DatasetTypes,
            PrefixLength = pretrained.FileShape.PrefixLength, ImagePrefixLength = pretrained.FileShape.ImagePrefixLength,
            ImageDecoding = options.ImageDecoding ?? pretrained.Prefixes.ImageDecoding, Normalization = pretrained.Normalization,
            Templates = [.. options.PromptTemplates ?? (IEnumerable<string>)pretrained.Prefixes.Templates], BadRows = options.BadRows,
            ImageColumnName = options.ImageColumnName, TextColumnName = options.TextColumnName, LabelColumnName = options.LabelColumnName,
            ImageEmbeddingColumnName = options.ImageEmbeddingColumnName, TextEmbeddingColumnName = options.TextEmbeddingColumnName,
        };
        var network = ClipModel.CreateUnset(settings.Shape, device);
        try
        {
            pretrained.ReadInto(network, settings.DatasetTypes, seed: 0);
            return new PrefixClipTransformer(environment, new TrainedModel(network, tokenizer, settings, TrainingHistory.Empty));
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }
}
