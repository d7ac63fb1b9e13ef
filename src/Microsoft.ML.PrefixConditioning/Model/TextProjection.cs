using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The last matrix of the text tower: one for all texts, or one for every dataset type.</summary>
/// <remarks>
/// A matrix per dataset type is there to compare with: another way to tell a text where it comes from, with prefixes or instead of them.
/// All of them start from the same values, so that training alone makes them differ. N texts, K dataset types, W width, D embedding size.
/// </remarks>
internal sealed class TextProjection
{
    /// <summary>Names of the weights: [W, D], or [K, W, D].</summary>
    public const string SharedName = "text_projection", SeparateName = "text_projections";

    private readonly Tensor _matrix;

    /// <param name="weights">Where the weight is declared.</param>
    /// <param name="width">W.</param>
    /// <param name="embeddingSize">D.</param>
    /// <param name="datasetTypes">K for a matrix per dataset type; null for one matrix.</param>
    public TextProjection(ModelWeights weights, long width, long embeddingSize, int? datasetTypes)
    {
        var std = Math.Pow(width, -0.5);
        // One weight for all types, not K weights: a step treats it the same whichever types the batch has.
        _matrix = datasetTypes is { } types
            ? weights.NormalRepeated(SeparateName, std, types, width, embeddingSize)
            : weights.Normal(SharedName, std, width, embeddingSize);
    }

    /// <summary>[N, W] -> [N, D].</summary>
    /// <param name="pooled">[N, W], after the last norm.</param>
    /// <param name="datasetTypes">[N] int64, the index of each text's dataset type; null for the mean of the matrices.</param>
    public Tensor Apply(Tensor pooled, Tensor? datasetTypes)
    {
        if (_matrix.dim() == 2) return pooled.matmul(_matrix);
        using var scope = NewDisposeScope();
        if (datasetTypes is null) return pooled.matmul(_matrix.mean([0])).MoveToOuterDisposeScope();
        var count = pooled.shape[0];
        var all = pooled.matmul(_matrix).flatten(0, 1);                          // [N, W] @ [K, W, D] -> [K, N, D] -> [K N, D]
        return all.index_select(0, datasetTypes * count + arange(count, ScalarType.Int64, pooled.device)).MoveToOuterDisposeScope();
    }
}
