namespace Microsoft.ML.PrefixConditioning;

/// <summary>The contrastive loss.</summary>
public enum LossFunction
{
    /// <summary>Symmetric cross-entropy over the batch: a row's own text is its only positive (CLIP paper, figure 3).</summary>
    Clip,

    /// <summary>Rows with the same label are positives of each other; every caption is a class of its own (UniCL, CVPR 2022, section
    /// 3.2).</summary>
    /// <remarks>
    /// Equals <see cref="Clip"/> if all rows of a class have the same sentence, so it needs several prompt templates to differ.
    /// </remarks>
    UniCl,
}
