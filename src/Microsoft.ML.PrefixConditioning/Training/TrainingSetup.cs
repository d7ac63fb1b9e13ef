namespace Microsoft.ML.PrefixConditioning;

/// <summary>What a run needs to know before it begins: the options, and what they leave to the data and the initial weights.</summary>
/// <param name="Options">The options as the user gave them.</param>
/// <param name="Model">What the model needs besides its weights.</param>
/// <param name="BatchSize">Rows per step.</param>
/// <param name="InitialWeightsHash">SHA-256 of the initial weights where a checkpoint has to be recognized; else empty.</param>
internal sealed record TrainingSetup(PrefixClipOptions Options, ModelSettings Model, int BatchSize, string InitialWeightsHash = "")
{
    /// <summary>The ranks that share the run.</summary>
    public Ranks Ranks { get; init; } = new(Options.ProcessGroup);
}
