using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Infers a model's sizes from the shapes in its file, its configuration and the caller's wishes, and checks every tensor against
/// them.</summary>
/// <remarks>Reads only shapes: no weight takes memory, whatever the file claims.</remarks>
internal static class ArchitectureInference
{
    private const int WidthOfAHead = 64;   // of all of CLIP's own models
    private const int MaxNamed = 5;        // names in one message

    // Buffers and notes that files of other programs hold beside the weights.
    private static readonly string[] Ignored = ["input_resolution", "context_length", "vocab_size", "attn_mask"];
    private static readonly string[] IgnoredEnds = [".position_ids", ".attn_mask", ".num_batches_tracked"];

    // Only OpenAI's own state dictionaries hold all of these, and all of OpenAI's models use quick-GELU.
    private static readonly string[] OpenAINotes = ["input_resolution", "context_length", "vocab_size"];

    /// <summary>Names of the prefix tables, in every layout.</summary>
    public const string TextPrefixName = "prefix_embedding", ImagePrefixName = "visual.prefix_embedding";

    /// <summary>Name of the sigmoid loss's bias, in every layout.</summary>
    public const string LogitBiasName = "logit_bias";

    /// <summary>The sizes of a file's model, checked against all of its shapes.</summary>
    /// <param name="entries">The file's tensors.</param>
    /// <param name="layout">The layout of their names.</param>
    /// <param name="config">What the model's configuration says.</param>
    /// <param name="wishes">What the caller knows of the model.</param>
    /// <exception cref="InvalidDataException">Tensors are missing, too many, or do not fit each other or the configuration.</exception>
    /// <exception cref="ArgumentException">The caller's wishes contradict the file, or are needed and missing.</exception>
    public static ClipModelShape Infer(
        IReadOnlyDictionary<string, WeightEntry> entries, ClipLayout layout, PretrainedConfig config, PretrainedWishes wishes)
    {
        var shapes = new Shapes(entries, layout);
        var stages = entries.ContainsKey("visual.layer1.0.conv1.weight") ? shapes.Stages() : null;
        var positions = shapes.Of(stages is null ? "visual.positional_embedding" : "visual.attnpool.positional_embedding", 2);
        long[] tokens = shapes.Of("token_embedding.weight", 2), textPositions = shapes.Of("positional_embedding", 2);
        var grid = (long)Math.Round(Math.Sqrt(Math.Max(0, positions[0] - 1)));
        if (grid < 1 || grid * grid + 1 != positions[0])
            throw Misfit($"The vision tower has {positions[0]} positions; a square number of patches and one class token are expected.");
        var width = Size(shapes.Of(stages is null ? "visual.conv1.weight" : "visual.conv3.weight", 4)[0]);
        var patch = stages is null ? Size(shapes.Of("visual.conv1.weight", 4)[2]) : ResNetTower.Reduction;
        var textWidth = Size(tokens[1]);
        var textRatio = Ratio(shapes.Of("transformer.resblocks.0.mlp.c_fc.weight", 2)[0], textWidth);
        double? visionRatio = stages is null ? Ratio(shapes.Of("visual.transformer.resblocks.0.mlp.c_fc.weight", 2)[0], width) : null;
        var architecture = new ClipArchitecture
        {
            ImageSize = Size(grid * patch), PatchSize = patch, ResNet = stages, VisionWidth = width,
            VisionLayers = stages is null ? shapes.Layers("visual.transformer") : ResNetTower.Stages,
            VisionHeads = Heads("vision", nameof(PretrainedWishes.VisionHeads), stages is null ? width : Size(positions[1]),
                wishes.VisionHeads, config.VisionHeads, config.Source),
            ContextLength = Size(textPositions[0]), TextWidth = textWidth, TextLayers = shapes.Layers("transformer"),
            TextHeads = Heads("text", nameof(PretrainedWishes.TextHeads), textWidth, wishes.TextHeads, config.TextHeads, config.Source),
            EmbeddingSize = Size(shapes.Of("text_projection", 2)[1]),
            MlpRatio = visionRatio ?? textRatio, TextMlpRatio = visionRatio is null || visionRatio == textRatio ? null : textRatio,
            Activation = Activation(entries, layout, config, wishes),
        };
        if (OptionFaults.Of(architecture).FirstOrDefault() is { } fault) throw Misfit($"The shapes give no model: {fault}");
        var vocabulary = Size(tokens[0]);
        CheckConfig(architecture, vocabulary, config);
        var (types, prefixLength) = shapes.Prefixes(TextPrefixName);
        var (imageTypes, imagePrefixLength) = shapes.Prefixes(ImagePrefixName);
        var shape = new ClipModelShape(architecture, vocabulary, Math.Max(types, imageTypes), prefixLength, imagePrefixLength,
            entries.ContainsKey(LogitBiasName));
        CheckFit(shape, entries, layout);
        return shape;
    }

    /// <summary>Whether the file's tensors are those of the model, name by name and shape by shape.</summary>
    private static void CheckFit(ClipModelShape shape, IReadOnlyDictionary<string, WeightEntry> entries, ClipLayout layout)
    {
        using var scope = NewDisposeScope();
        using var expected = ClipModel.CreateUnset(shape, new Device(DeviceType.META));   // shapes without memory
        var wanted = new HashSet<string>(StringComparer.Ordinal);
        var missing = new List<string>();
        var misfits = new List<string>();
        foreach (var (name, weight) in expected.Weights)
        {
            var origin = WeightOrigin.Of(layout, name);
            wanted.UnionWith(origin.Names);
            missing.AddRange(origin.Names.Where(n => !entries.ContainsKey(n)));
            if (origin.In(entries) is { } found && !Fits(found.Shape, weight.shape))
                misfits.AddRange(origin.Split(weight).Select(part => $"'{part.Key}' is {WeightEntry.Describe(entries[part.Key].Shape)}, " +
                    $"expected {WeightEntry.Describe(part.Value.shape)}"));
        }
        if (missing.Count > 0)
            throw Misfit($"The file lacks {Count(missing.Count, "tensor")} of its model: " +
                $"{NearName.List(missing, MaxNamed)}. It is incomplete, or of another kind of model.");
        if (misfits.Count > 0)
            throw Misfit($"{Count(misfits.Count, "tensor")} of the file {(misfits.Count == 1 ? "does" : "do")} not " +
                $"fit the others: {string.Join(", ", misfits.Take(MaxNamed))}{(misfits.Count > MaxNamed ? ", ..." : "")}.");
        var unknown = entries.Keys.Where(n => !wanted.Contains(n) && !Ignored.Contains(n) && !IgnoredEnds.Any(end =>
            n.EndsWith(end, StringComparison.Ordinal))).Order(StringComparer.Ordinal).ToArray();
        if (unknown.Length > 0)
            throw Misfit($"The file holds {Count(unknown.Length, "tensor")} that the model has no use for: " +
                $"{NearName.List(unknown, MaxNamed)}. It is of another kind of model, or they belong to its training: then save the " +
                "state dictionary of the model alone.");
    }

    /// <summary>A single number may be a vector of one, as some training tools need it.</summary>
    private static bool Fits(long[] found, long[] expected) => found.AsSpan().SequenceEqual(expected)
        || expected.Length == 0 && found.All(size => size == 1);

    private static void CheckConfig(ClipArchitecture architecture, int vocabulary, PretrainedConfig config)
    {
        foreach (var size in config.Sizes)
            if (ConfiguredSize.ValueOf(size.Name, architecture, vocabulary) is var found && found != size.Value)
                throw Misfit($"The configuration '{size.Source}' gives {size.Name} {size.Value}, the shapes of the weights give {found}. " +
                    "Weights and configuration do not belong together.");
        if (config.Stages is not { } stages || stages.SequenceEqual(architecture.ResNet?.ToArray() ?? [])) return;
        var shown = architecture.ResNet is { } other ? $"[{string.Join(", ", other.ToArray())}]" : "a vision transformer";
        throw Misfit($"The configuration '{config.Source}' gives the ResNet layers [{string.Join(", ", stages)}], the shapes of the " +
            $"weights give {shown}. Weights and configuration do not belong together.");
    }

    private static ClipActivation Activation(
        IReadOnlyDictionary<string, WeightEntry> entries, ClipLayout layout, PretrainedConfig config, PretrainedWishes wishes)
    {
        var known = config.Activation ?? (layout == ClipLayout.OpenClip && OpenAINotes.All(entries.ContainsKey) ? ClipActivation.QuickGelu
            : null);
        if (known is { } sure && wishes.Activation is { } wished && sure != wished)
        {
            var source = config.Activation is null ? "OpenAI's own state dictionaries mean" : $"'{config.Source}' says";
            throw new ArgumentException($"{nameof(ClipLoadOptions.Activation)} is {wished}, but {source} {sure}. Do not set it.");
        }
        return known ?? wishes.Activation ?? throw new ArgumentException(
            "Which form of GELU the model has cannot be told from its weights, and there is no configuration beside them. Put the " +
                "model's open_clip_config.json or config.json there, " +
            $"or set {nameof(ClipLoadOptions.Activation)}: {nameof(ClipActivation.QuickGelu)} for OpenAI's weights and models with " +
                $"\"quickgelu\" in their name, else {nameof(ClipActivation.Gelu)}.");
    }

    private static int Heads(string tower, string option, int width, int? wished, int? configured, string source)
    {
        if (configured is { } sure && wished is { } other && sure != other)
            throw new ArgumentException($"{option} is {other}, but '{source}' says {sure}. Do not set it.");
        var heads = wished ?? configured ?? (width % WidthOfAHead == 0 ? width / WidthOfAHead : throw new ArgumentException(
            $"The {tower} tower's width {width} is no multiple of {WidthOfAHead}, so its attention heads cannot be told. Set {option}, " +
                "or put the model's configuration beside the weights."));
        return heads > 0 && width % heads == 0 ? heads
            : throw new ArgumentException($"The {tower} tower is {width} wide and cannot have {heads} " +
                $"heads{(wished is null ? $", which '{source}' gives it" : $". Correct {option}")}.");
    }

    private static double Ratio(long hidden, int width)
    {
        var ratio = (double)hidden / width;
        return (long)(width * ratio) == hidden ? ratio : Math.BitIncrement(ratio);   // rounding down must not lose a unit
    }

    private static int Size(long value) => value <= int.MaxValue ? (int)value : throw Misfit($"A tensor has the dimension {value}; no " +
        "CLIP model has.");

    private static string Count(int count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}s";

    private static InvalidDataException Misfit(string what) => new(what);

    /// <summary>A file's shapes under the names and in the order that they have here.</summary>
    private sealed class Shapes(IReadOnlyDictionary<string, WeightEntry> entries, ClipLayout layout)
    {
        public long[] Of(string name, int dimensions)
        {
            var origin = WeightOrigin.Of(layout, name);
            if (origin.In(entries) is not { Shape: var shape })
                throw Misfit($"The file lacks '{origin.Names[0]}', which tells the model's size. It is incomplete, or of another kind of " +
                    "model.");
            return shape.Length == dimensions && shape.All(s => s > 0) ? shape
                : throw Misfit($"'{origin.Names[0]}' is {WeightEntry.Describe(shape)}; {dimensions} dimensions above 0 are expected.");
        }

        /// <summary>Blocks of a transformer.</summary>
        public int Layers(string tower) => Count(i => $"{tower}.resblocks.{i}.ln_1.weight");

        /// <summary>Blocks of each stage of a ResNet.</summary>
        public ResNetStages Stages() => new(Blocks(1), Blocks(2), Blocks(3), Blocks(4));

        private int Blocks(int stage) => Count(i => $"visual.layer{stage}.{i}.conv1.weight");

        private int Count(Func<int, string> name) =>
            Enumerable.Range(0, entries.Count).TakeWhile(i => WeightOrigin.Of(layout, name(i)).In(entries) is not null).Count();

        /// <summary>Dataset types and prefix tokens of a table; none where the file has no table.</summary>
        public (int Types, int Length) Prefixes(string name)
        {
            if (!entries.ContainsKey(name)) return (0, 0);
            var shape = Of(name, 3);
            return shape[0] <= int.MaxValue && shape[1] <= PrefixClipOptions.MaxPrefixLength ? ((int)shape[0], (int)shape[1])
                : throw Misfit($"'{name}' is {WeightEntry.Describe(shape)}; at most {PrefixClipOptions.MaxPrefixLength} prefix tokens " +
                    "for each dataset type are possible.");
        }
    }
}

/// <summary>What the caller knows of a pretrained model, or wants of it; null leaves it to the files.</summary>
internal sealed record PretrainedWishes
{
    public string? VocabularyPath { get; init; }
    public ClipActivation? Activation { get; init; }
    public int? VisionHeads { get; init; }
    public int? TextHeads { get; init; }
    public int? ImageSize { get; init; }
}
