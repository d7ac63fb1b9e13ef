namespace Microsoft.ML.PrefixConditioning;

/// <summary>How a kind of vision tower differs from the vision transformer.</summary>
/// <param name="Name">Name of the kind and of its property in <see cref="ClipArchitecture"/>.</param>
/// <param name="Faults">Every fault of the kind's sizes in an architecture.</param>
internal sealed record VisionKind(string Name, Func<ClipArchitecture, IEnumerable<string>> Faults)
{
    /// <summary>Whether the tower takes image prefixes.</summary>
    public bool TakesPrefixes { get; init; }

    /// <summary>Whether training must start from <see cref="PrefixClipOptions.InitialWeights"/>.</summary>
    public bool NeedsInitialWeights { get; init; }

    /// <summary>Whether open_clip has the tower, so that its weights can be saved in open_clip's layout.</summary>
    public bool IsInOpenClip { get; init; }

    /// <summary>Version of the model file that such a model needs.</summary>
    public int FormatVersion { get; init; } = 3;
}
