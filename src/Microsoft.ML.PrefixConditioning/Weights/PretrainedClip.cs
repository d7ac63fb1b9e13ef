using System.Globalization;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A pretrained CLIP model on disk. Opening it reads everything except the weights.</summary>
internal sealed class PretrainedClip : IDisposable
{
    // Kept, because TorchSharp does not keep a scalar alive during the call that it is passed to.
    private static readonly Scalar InitialBias = ClipModel.InitialLogitBias.ToScalar();

    private readonly PretrainedFiles _files;
    private readonly List<string> _warnings;
    private ClipTokenizer? _tokenizer;

    private PretrainedClip(PretrainedFiles files, ClipModelShape shape, PretrainedConfig config, PretrainedPrefixes prefixes,
        PretrainedWishes wishes)
    {
        (_files, FileShape, Normalization, Prefixes) = (files, shape, config.Normalization ?? ImageNormalization.Clip, prefixes);
        _warnings = [.. config.Warnings];
        if (shape.Architecture.ResNet is not null && wishes.ImageSize is { } size && size != shape.Architecture.ImageSize)
            throw new ArgumentException($"The model '{files.Path}' has a ResNet, whose image size is {shape.Architecture.ImageSize}; " +
                $"{size} was requested. Do not set it.");
        Architecture = shape.Architecture with { ImageSize = wishes.ImageSize ?? shape.Architecture.ImageSize };
        if (OptionFaults.Of(Architecture).FirstOrDefault() is { } fault)
            throw new ArgumentException($"The model '{files.Path}' cannot be used with these settings: {fault}");
    }

    /// <summary>The shape of the model in the file.</summary>
    public ClipModelShape FileShape { get; }

    /// <summary>Sizes of the towers; the image size may differ from the file's.</summary>
    public ClipArchitecture Architecture { get; }

    /// <summary>Mean and standard deviation of pixels.</summary>
    public ImageNormalization Normalization { get; }

    /// <summary>Dataset types and templates.</summary>
    public PretrainedPrefixes Prefixes { get; }

    /// <summary>Warnings about the files read so far: unknown settings.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>The model's own vocabulary; unavailable if only files were opened, not a whole model.</summary>
    public ClipTokenizer Tokenizer => _tokenizer ?? throw new InvalidOperationException("The vocabulary was not read.");

    /// <summary>Loads a model from a folder or a file, for use without training.</summary>
    /// <inheritdoc cref="Open(string, PretrainedWishes)" path="/exception"/>
    public static TrainedModel Load(IHostEnvironment environment, string path, ClipLoadOptions options)
    {
        options.Validate();
        var device = TorchDevice.Resolve(options.Device, GpuSettings.Of(environment));
        using var pretrained = Open(environment, path, new PretrainedWishes
        {
            VocabularyPath = options.VocabularyPath,
            Activation = options.Activation, VisionHeads = options.VisionHeads, TextHeads = options.TextHeads,
            ImageSize = options.ImageSize,
        }, options.CancellationToken);
        var settings = pretrained.SettingsFor(new PrefixClipOptions
        {
            PrefixLength = pretrained.FileShape.PrefixLength, ImagePrefixLength = pretrained.FileShape.ImagePrefixLength,
            ImageDecoding = options.ImageDecoding ?? pretrained.Prefixes.ImageDecoding, BadRows = options.BadRows,
            PromptTemplates = options.PromptTemplates ?? PromptTemplates.Of([.. pretrained.Prefixes.Templates]),
            Columns = options.Columns, Precision = options.Precision,
            Loss = pretrained.FileShape.HasLogitBias ? LossFunction.SigLip : LossFunction.Clip,
        }, pretrained.Prefixes.DatasetTypes);
        var products = TorchDevice.ProductType(options.Precision, device, settings.Architecture, environment);
        var network = pretrained.Create(settings, device, seed: 0, products, useTensorOperations: false, rounded: true);
        return new TrainedModel(network, pretrained.Tokenizer, settings, TrainingHistory.Empty);
    }

    /// <summary>Opens a run's initial weights. The options' architecture supplies what the files do not state.</summary>
    /// <inheritdoc cref="Open(string, PretrainedWishes)" path="/exception"/>
    public static PretrainedClip Open(IHostEnvironment environment, string path, PrefixClipOptions options)
    {
        var chosen = options.Architecture;
        return Open(environment, path, new PretrainedWishes
        {
            VocabularyPath = options.VocabularyPath,
            Activation = chosen?.Activation, VisionHeads = chosen?.VisionHeads, TextHeads = chosen?.TextHeads,
            ImageSize = chosen?.ImageSize,
        }, options.CancellationToken, chosen);
    }

    /// <summary>Finds a model's files and checks that they fit each other. The weights are not read yet.</summary>
    /// <exception cref="FileNotFoundException">There is no such file, or the folder has no weights.</exception>
    /// <exception cref="InvalidDataException">The files are damaged, or of no model that is supported.</exception>
    /// <exception cref="ArgumentException">The caller's wishes contradict the files, or are needed and missing.</exception>
    public static PretrainedClip Open(string path, PretrainedWishes wishes)
    {
        var files = PretrainedFiles.Open(path);
        try
        {
            var config = PretrainedConfig.Read(files.Folder, files.Layout);
            var shape = ArchitectureInference.Infer(files.Weights.Entries, files.Layout, config, wishes);
            var prefixes = PretrainedPrefixes.Read(files.Weights.Metadata, shape.DatasetTypes);
            return new PretrainedClip(files, shape, config, prefixes, wishes);
        }
        catch (Exception e)
        {
            files.Dispose();
            if (e is InvalidDataException && !e.Message.Contains(files.Folder, StringComparison.Ordinal))
                throw PretrainedFiles.Named(files.Path, e);
            throw;
        }
    }

    /// <summary>The model's vocabulary.</summary>
    /// <param name="vocabularyPath">Where it lies; null for the folder of the weights.</param>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or of another model.</exception>
    public ClipTokenizer ReadTokenizer(string? vocabularyPath)
    {
        var place = vocabularyPath ?? _files.Folder;
        ClipTokenizer tokenizer;
        try
        {
            tokenizer = ClipTokenizer.FromFile(place);
        }
        catch (FileNotFoundException e) when (vocabularyPath is null)
        {
            throw new FileNotFoundException(
                $"The model's vocabulary is not in '{place}'. Put vocab.json and merges.txt, tokenizer.json, or CLIP's " +
                    "bpe_simple_vocab_16e6.txt.gz there, " +
                $"or set {nameof(ClipLoadOptions.VocabularyPath)} to where they are.", e);
        }
        _warnings.AddRange(PretrainedConfig.CheckTokenizer(place, Architecture.ContextLength));
        return tokenizer.VocabularySize == FileShape.VocabularySize ? tokenizer : throw new InvalidDataException(
            $"The vocabulary in '{place}' has {tokenizer.VocabularySize} tokens, the model '{_files.Path}' {FileShape.VocabularySize}. " +
            $"They do not belong together: set {nameof(ClipLoadOptions.VocabularyPath)} to the model's own vocabulary.");
    }

    /// <summary>The settings of a model that starts from this one.</summary>
    /// <param name="options">Everything that the files do not say.</param>
    /// <param name="types">The dataset types of the model's prefixes.</param>
    public ModelSettings SettingsFor(PrefixClipOptions options, IReadOnlyList<DatasetType> types) =>
        ModelSettings.From(options, types, Tokenizer.VocabularySize) with { Architecture = Architecture, Normalization = Normalization };

    /// <summary>A model with the file's weights; prefixes that the file lacks are drawn, and a logit bias has its first value.</summary>
    /// <inheritdoc cref="ReadInto" path="/exception"/>
    public ClipModel Create(ModelSettings settings, Device device, ulong seed, ScalarType products, bool useTensorOperations,
        bool rounded = false)
    {
        var model = ClipModel.CreateUnset(settings.Shape, device, useTensorOperations, products, rounded);
        try
        {
            ReadInto(model, settings.DatasetTypes, seed);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Reads all weights into a model of this architecture.</summary>
    /// <param name="model">Its dataset types may differ from the file's; prefixes that the file lacks are drawn.</param>
    /// <param name="types">The dataset types of the model's prefixes.</param>
    /// <param name="seed">For new prefixes: N(0, 0.02).</param>
    /// <exception cref="InvalidDataException">A weight is missing or not finite, or the file cannot be read.</exception>
    public void ReadInto(ClipModel model, IReadOnlyList<DatasetType> types, ulong seed)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var generator = new Generator(seed, CPU);
        try
        {
            foreach (var (name, weight) in model.Weights)
            {
                using var one = NewDisposeScope();
                if (name is ArchitectureInference.TextPrefixName or ArchitectureInference.ImagePrefixName)
                    ReadPrefixes(name, weight, types, generator);
                else if (name == ArchitectureInference.LogitBiasName && _files.Find(name) is null)
                    weight.fill_(InitialBias);
                else if (name == "visual.positional_embedding" && Architecture.ImageSize != FileShape.Architecture.ImageSize)
                    weight.copy_(PositionGrid.Resize(Read(Find(name)), Architecture.ImageSize / Architecture.PatchSize));
                else if (weight is { device_type: DeviceType.CPU, dtype: ScalarType.Float32 }) Find(name).Read(weight);
                else weight.copy_(Read(Find(name)).view(weight.shape));
                if (!weight.IsFinite())
                    throw new InvalidDataException($"the weight '{WeightOrigin.Of(_files.Layout, name).Names[0]}' holds values that are " +
                        "not finite. The file is damaged, or its training had failed.");
            }
        }
        catch (InvalidDataException e)
        {
            throw PretrainedFiles.Named(_files.Path, e);
        }
    }

    private WeightEntry Find(string name) => _files.Find(name) ?? throw new InvalidDataException(
        $"the weight '{WeightOrigin.Of(_files.Layout, name).Names[0]}' is missing. The file belongs to another architecture.");

    /// <summary>SHA-256 of a model's weights, without the prefixes that the file lacks, which a run draws.</summary>
    /// <param name="model">A model that was read from this file, before training.</param>
    /// <param name="types">Its dataset types.</param>
    public string HashOf(ClipModel model, IReadOnlyList<DatasetType> types)
    {
        using var scope = NewDisposeScope();
        using var hashing = new HashingStream(Stream.Null);
        foreach (var (name, weight) in model.Weights)
            if (name is not (ArchitectureInference.TextPrefixName or ArchitectureInference.ImagePrefixName)) Safetensors.WriteData(hashing,
                weight);
            else if (_files.Find(name) is not null)
                for (var i = 0; i < types.Count; i++)
                    if (Prefixes.DatasetTypes.Any(t => t.Name == types[i].Name)) Safetensors.WriteData(hashing, weight.narrow(0, i, 1));
        return Convert.ToHexStringLower(hashing.Hash());
    }

    /// <inheritdoc/>
    public void Dispose() => _files.Dispose();

    /// <summary>Opens files and vocabulary, of a model on the hub after it was downloaded, and logs warnings about them.</summary>
    private static PretrainedClip Open(IHostEnvironment environment, string path, PretrainedWishes wishes,
        CancellationToken cancellation, ClipArchitecture? chosen = null)
    {
        var pretrained = Open(HubDownload.Resolve(environment, path, cancellation), wishes);
        try
        {
            if (chosen is not null && chosen != pretrained.Architecture)
                throw new ArgumentException(
                    $"{nameof(PrefixClipOptions.Architecture)} contradicts the model '{path}': " +
                    $"{string.Join(", ", Differences(chosen, pretrained.Architecture))}. " +
                    $"Do not set {nameof(PrefixClipOptions.Architecture)}; only its image size may differ from the model's.");
            pretrained._tokenizer = pretrained.ReadTokenizer(wishes.VocabularyPath);
            if (pretrained.Warnings.Count == 0) return pretrained;
            using var channel = environment.Start("Loading");
            foreach (var warning in pretrained.Warnings) channel.Warning(MessageSensitivity.None, "{0}", warning);
            return pretrained;
        }
        catch
        {
            pretrained.Dispose();
            throw;
        }
    }

    private static IEnumerable<string> Differences(ClipArchitecture chosen, ClipArchitecture found) =>
        from property in typeof(ClipArchitecture).GetProperties()
        where property.CanWrite && !Equals(property.GetValue(chosen), property.GetValue(found))
        select string.Create(CultureInfo.InvariantCulture,
            $"{property.Name} is {property.GetValue(chosen)}, the model has {property.GetValue(found)}");

    /// <summary>A tensor of the file on the processor.</summary>
    private static Tensor Read(WeightEntry entry)
    {
        var values = empty(entry.Shape, ScalarType.Float32);
        entry.Read(values);
        return values;
    }

    /// <summary>Prefixes of the types that the file knows; others are drawn.</summary>
    private void ReadPrefixes(string name, Tensor table, IReadOnlyList<DatasetType> types, Generator generator)
    {
        // N(0, 0.02), always drawn for all types: a type's new prefix does not depend on what the file has
        var drawn = empty(table.shape, ScalarType.Float32).normal_(0, 0.02, generator);
        if (_files.Find(name) is { } entry)
        {
            var known = Read(entry);
            var isText = name == ArchitectureInference.TextPrefixName;
            var option = isText ? nameof(PrefixClipOptions.PrefixLength) : nameof(PrefixClipOptions.ImagePrefixLength);
            if (entry.Shape[1] != table.shape[1])
                throw new ArgumentException(
                    $"The model '{_files.Path}' has {entry.Shape[1]} prefix token(s) for each dataset type in '{name}', and " +
                    $"{table.shape[1]} were requested. Set {option} to {entry.Shape[1]}.");
            for (var i = 0; i < types.Count; i++)
                for (var j = 0; j < Prefixes.DatasetTypes.Count; j++)
                    if (Prefixes.DatasetTypes[j].Name == types[i].Name) drawn.narrow(0, i, 1).copy_(known.narrow(0, j, 1));
        }
        table.copy_(drawn);
    }
}
