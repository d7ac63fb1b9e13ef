using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The published model that a run starts from, and what it decides in the run's options.</summary>
internal sealed class StartingModel : IDisposable
{
    private readonly PretrainedClip _pretrained;

    private StartingModel(PretrainedClip pretrained, ClipTokenizer tokenizer) => (_pretrained, Tokenizer) = (pretrained, tokenizer);

    /// <summary>The model's own vocabulary.</summary>
    public ClipTokenizer Tokenizer { get; }

    /// <summary>Opens the model that the options name. An architecture among the options says what the files do not.</summary>
    /// <exception cref="IOException">Files are missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">Files are damaged, or of no model that is supported.</exception>
    /// <exception cref="ArgumentException">The options contradict the files.</exception>
    public static StartingModel Open(IHostEnvironment environment, string path, PrefixClipOptions options)
    {
        var chosen = options.ChosenArchitecture;
        var pretrained = PretrainedClip.Open(path, new PretrainedWishes
        {
            Activation = chosen?.Activation, VisionHeads = chosen?.VisionHeads, TextHeads = chosen?.TextHeads,
            ImageSize = chosen?.ImageSize,
        });
        try
        {
            if (chosen is not null && chosen != pretrained.Architecture)
                throw new ArgumentException(
                    $"{nameof(PrefixClipOptions.Architecture)} contradicts the model '{path}': " +
                        $"{string.Join(", ", Differences(chosen, pretrained.Architecture))}. " +
                    $"Leave {nameof(PrefixClipOptions.Architecture)} open; only its image size may be another than the model's.");
            var tokenizer = pretrained.ReadTokenizer(options.VocabularyPath);
            pretrained.LogWarnings(environment);
            return new StartingModel(pretrained, tokenizer);
        }
        catch
        {
            pretrained.Dispose();
            throw;
        }
    }

    /// <summary>The options with what the model decides, checked once more.</summary>
    public PrefixClipOptions Complete(PrefixClipOptions options)
    {
        var complete = options with { Architecture = _pretrained.Architecture, Normalization = _pretrained.Normalization };
        complete.Validate();
        return complete;
    }

    /// <summary>A model with the file's weights, and prefixes that are new where the file has none.</summary>
    public ClipModel Create(ModelSettings settings, Device device, ulong seed, bool reference)
    {
        var model = ClipModel.CreateUnset(settings.Shape, device, reference);
        try
        {
            _pretrained.ReadInto(model, settings.DatasetTypes, seed);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>The options with the weights' hash, by which a checkpoint of the run is recognized.</summary>
    public PrefixClipOptions Identify(PrefixClipOptions options, ClipModel model, ModelSettings settings) => options.CheckpointFolder is null
        ? options : options with { InitialWeightsHash = _pretrained.HashOf(model, settings.DatasetTypes) };

    /// <inheritdoc/>
    public void Dispose() => _pretrained.Dispose();

    private static IEnumerable<string> Differences(ClipArchitecture chosen, ClipArchitecture found) =>
        from property in typeof(ClipArchitecture).GetProperties()
        where property.CanWrite && !Equals(property.GetValue(chosen), property.GetValue(found))
        select FormattableString.Invariant($"{property.Name} is {property.GetValue(chosen)}, the model has {property.GetValue(found)}");
}
