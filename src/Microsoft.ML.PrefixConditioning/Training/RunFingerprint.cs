using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What makes two training runs the same but for their seed; a checkpoint goes on only in a run with the same fingerprint.</summary>
internal static class RunFingerprint
{
    /// <summary>A hash of every option that changes the result and of all rows.</summary>
    public static string Of(TaggedRows rows, PrefixClipOptions options)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Add(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\n"));
        Add(JsonSerializer.Serialize(new
        {
            options.Architecture, options.PrefixLength, options.ImagePrefixLength, options.VocabularyPath, options.VocabularySize,
            options.Loss, options.BatchComposition, Weights = options.DatasetTypeWeights?.OrderBy(w => w.Key, StringComparer.Ordinal),
            Templates = options.PromptTemplates.ToArray(), options.BatchSize, options.Epochs, options.LearningRate, options.WarmupSteps,
            options.LearningRateSchedule, options.WeightDecay, options.Beta1, options.Beta2, options.Epsilon, options.GradientClipNorm,
            options.MinCropScale, options.HorizontalFlipProbability, options.ImageDecoding, options.Seed, Types = rows.Types,
        }));
        for (var row = 0; row < rows.Count; row++)
            Add(FormattableString.Invariant($"{rows.Images[row].Name}\t{rows.Texts[row]}\t{rows.DatasetTypes[row]}\t{rows.Labels[row]}"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
