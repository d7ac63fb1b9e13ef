namespace Microsoft.ML.PrefixConditioning;

/// <summary>One step's input. N rows.</summary>
/// <param name="Rows">[N], the rows.</param>
/// <param name="Pixels">[n, 3, S, S], this rank's part of the rows.</param>
/// <param name="Texts">The distinct texts and which of them each row has.</param>
/// <param name="Labels">[N], equal for rows of one class; unique for captions.</param>
/// <param name="DatasetTypes">[N], the index of each row's dataset type.</param>
internal sealed record TrainingBatch(int[] Rows, float[] Pixels, BatchTexts Texts, long[] Labels, long[] DatasetTypes)
{
    /// <summary>Places of this rank's part whose images could not be read.</summary>
    public int[] Unreadable { get; init; } = [];
}

/// <summary>The texts of one batch. U distinct texts, N rows.</summary>
/// <param name="Tokens">[U, L] token ids.</param>
/// <param name="DatasetTypes">[U], the dataset type of every distinct text.</param>
/// <param name="TextOfRow">[N], which of the distinct texts each row has.</param>
internal sealed record BatchTexts(TokenBatch Tokens, long[] DatasetTypes, long[] TextOfRow);
