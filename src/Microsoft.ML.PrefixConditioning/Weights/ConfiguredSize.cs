using System.Text.Json.Nodes;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A size in a configuration, which must agree with the shapes of the weights. Has the keys of all sizes, for reading and
/// writing.</summary>
/// <param name="Source">The configuration's file.</param>
/// <param name="Name">A property of <see cref="ClipArchitecture"/>, or one of the names below.</param>
/// <param name="Value">What the file says.</param>
internal sealed record ConfiguredSize(string Source, string Name, int Value)
{
    public const string VisionHidden = "the vision tower's hidden layer", TextHidden = "the text tower's hidden layer";

    private const string Vocabulary = "VocabularySize";
    private const int Model = 0, Vision = 1, Text = 2;   // the objects of a configuration

    // Where each layout has a size. open_clip gives hidden layers by a ratio only.
    private static readonly (string Name, int Section, string? OpenClip, string HuggingFace)[] Keys =
    [
        (nameof(ClipArchitecture.EmbeddingSize), Model, "embed_dim", "projection_dim"),
        (nameof(ClipArchitecture.ImageSize), Vision, "image_size", "image_size"),
        (nameof(ClipArchitecture.PatchSize), Vision, "patch_size", "patch_size"),
        (nameof(ClipArchitecture.VisionWidth), Vision, "width", "hidden_size"),
        (nameof(ClipArchitecture.VisionLayers), Vision, "layers", "num_hidden_layers"),
        (VisionHidden, Vision, null, "intermediate_size"),
        (nameof(ClipArchitecture.ContextLength), Text, "context_length", "max_position_embeddings"),
        (nameof(ClipArchitecture.TextWidth), Text, "width", "hidden_size"),
        (nameof(ClipArchitecture.TextLayers), Text, "layers", "num_hidden_layers"),
        (TextHidden, Text, null, "intermediate_size"),
        (Vocabulary, Text, "vocab_size", "vocab_size"),
    ];

    /// <summary>The sizes that a configuration says.</summary>
    /// <param name="layout">Whose keys it has.</param>
    /// <param name="isResNet">Whether its vision tower is a ResNet.</param>
    /// <param name="sections">Its objects: of the model, the vision tower and the text tower.</param>
    public static IEnumerable<ConfiguredSize> Of(ClipLayout layout, bool isResNet, params ConfigSection[] sections) =>
        from place in KeysOf(layout, isResNet)
        let section = sections[place.Section]
        let isSquare = place.Key is "image_size" or "patch_size"
        from size in Said(section.Path, place.Name, isSquare ? section.Side(place.Key) : section.Whole(place.Key))
        select size;

    /// <summary>One size; none where the configuration does not say it.</summary>
    public static IEnumerable<ConfiguredSize> Said(string source, string name, int? value) =>
        value is { } said ? [new ConfiguredSize(source, name, said)] : [];

    /// <summary>Writes a model's sizes under a layout's keys.</summary>
    /// <param name="layout">The layout.</param>
    /// <param name="architecture">The model's sizes.</param>
    /// <param name="vocabulary">Tokens of its vocabulary.</param>
    /// <param name="sections">The configuration's objects, as above.</param>
    public static void Write(ClipLayout layout, ClipArchitecture architecture, int vocabulary, params JsonObject[] sections)
    {
        foreach (var (name, section, key) in KeysOf(layout, architecture.ResNet is not null))
            sections[section][key] = ValueOf(name, architecture, vocabulary);
    }

    /// <summary>What a model has for a size.</summary>
    public static int ValueOf(string name, ClipArchitecture architecture, int vocabulary) => name switch
    {
        Vocabulary => vocabulary,
        VisionHidden => (int)(architecture.VisionWidth * architecture.MlpRatio),
        TextHidden => (int)(architecture.TextWidth * architecture.TextRatio),
        _ => (int)typeof(ClipArchitecture).GetProperty(name)!.GetValue(architecture)!,
    };

    /// <summary>A ResNet's layers are a list, and its patch size, which a configuration may have, means nothing.</summary>
    private static IEnumerable<(string Name, int Section, string Key)> KeysOf(ClipLayout layout, bool isResNet) =>
        from k in Keys
        let key = layout == ClipLayout.OpenClip ? k.OpenClip : k.HuggingFace
        where key is not null && !(isResNet && k.Name is nameof(ClipArchitecture.PatchSize) or nameof(ClipArchitecture.VisionLayers))
        select (k.Name, k.Section, key);
}
