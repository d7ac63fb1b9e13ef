namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A run with the small model's vocabulary, as <c>Fit</c> works it out from options.</summary>
internal static class TestSetup
{
    public static TrainingSetup Of(PrefixClipOptions options) => new(
        options, ModelSettings.From(options, options.DatasetTypes, SmallModel.Tokenizer.VocabularySize),
        options.BatchSize ?? PrefixClipOptions.DefaultBatchSize);
}
