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

    /// <summary>The sigmoid loss: whether an image and a text belong together, decided for every pair of the batch (arXiv
    /// 2303.15343).</summary>
    /// <remarks>
    /// Adds a learned bias, which starts at -10; the logit scale of a new model starts at 10. The bias does not change zero-shot scores.
    /// Saved models have format version 6.
    /// </remarks>
    SigLip,
}
