using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Contrastive losses as functions of embeddings. N rows, D embedding size.</summary>
internal static class ContrastiveLoss
{
    /// <summary>The CLIP loss: row i's text is image i's only positive, all other rows are negatives.</summary>
    /// <param name="images">[N, D], rows of unit length.</param>
    /// <param name="texts">[N, D], rows of unit length.</param>
    /// <param name="logitScale">Scalar, the factor between cosine and logit (not its logarithm).</param>
    /// <returns>Scalar: the mean of the cross-entropies image to text and text to image.</returns>
    /// <remarks>Source: CLIP paper, figure 3.</remarks>
    public static Tensor Clip(Tensor images, Tensor texts, Tensor logitScale)
    {
        using var scope = NewDisposeScope();
        var logits = logitScale * images.matmul(texts.transpose(0, 1));                 // [N, N]
        var target = TensorMath.Range(logits.shape[0], logits.device);
        return F.cross_entropy(logits, target).Plus(F.cross_entropy(logits.transpose(0, 1), target)).Times(0.5).MoveToOuterDisposeScope();
    }

    /// <summary>The UniCL loss: all rows with an image's label are its positives, weighted equally.</summary>
    /// <param name="images">[N, D], rows of unit length.</param>
    /// <param name="texts">[N, D], rows of unit length.</param>
    /// <param name="logitScale">Scalar, the factor between cosine and logit (not its logarithm).</param>
    /// <param name="labels">[N] int64; a caption's label is unique in the batch.</param>
    /// <returns>Scalar; with all labels different it equals <see cref="Clip"/>.</returns>
    /// <remarks>Source: "Unified Contrastive Learning in Image-Text-Label Space", CVPR 2022, section 3.2.</remarks>
    public static Tensor UniCl(Tensor images, Tensor texts, Tensor logitScale, Tensor labels)
    {
        using var scope = NewDisposeScope();
        var logits = logitScale * images.matmul(texts.transpose(0, 1));                 // [N, N]
        var same = labels.unsqueeze(1).eq(labels.unsqueeze(0)).to_type(logits.dtype);    // [N, N], symmetric
        var target = same / same.sum(1, keepdim: true);                                  // rows add up to 1
        return SoftCrossEntropy(logits, target).Plus(SoftCrossEntropy(logits.transpose(0, 1), target)).Times(0.5).MoveToOuterDisposeScope();
    }

    /// <summary>The sigmoid loss: every pair of an image and a text is a decision of its own, whether they belong together.</summary>
    /// <param name="images">[N, D], rows of unit length.</param>
    /// <param name="texts">[N, D], rows of unit length.</param>
    /// <param name="logitScale">Scalar, the factor between cosine and logit (not its logarithm).</param>
    /// <param name="logitBias">Scalar, added to every logit.</param>
    /// <returns>Scalar: the sum of the N² cross-entropies over N.</returns>
    /// <remarks>Source: "Sigmoid Loss for Language Image Pre-Training", arXiv 2303.15343, algorithm 1.</remarks>
    public static Tensor SigLip(Tensor images, Tensor texts, Tensor logitScale, Tensor logitBias)
    {
        using var scope = NewDisposeScope();
        var logits = (logitScale * images.matmul(texts.transpose(0, 1))).Plus(logitBias);      // [N, N]
        var count = logits.shape[0];
        using var rows = ((double)count).ToScalar();
        // -log sigmoid(x) is softplus(-x): of x on the diagonal, of -x elsewhere; the two differ by x.
        return ((F.softplus(logits).sum() - logits.diagonal().sum()) / rows).MoveToOuterDisposeScope();
    }

    private static Tensor SoftCrossEntropy(Tensor logits, Tensor target) => -(target * F.log_softmax(logits, 1)).sum(1).mean();
}
