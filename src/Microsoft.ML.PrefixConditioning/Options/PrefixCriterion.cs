namespace Microsoft.ML.PrefixConditioning;

/// <summary>By what <see cref="PrefixSelection.Auto"/> chooses a prefix from images without labels. The largest value wins.</summary>
/// <remarks>
/// N images, C classes; l[n, c] is the logit, the cosine times the logit scale, and p[n, c] its softmax over the classes. The formulas,
/// their sources and what they gave in an experiment are in docs/evaluation.md.
/// </remarks>
public enum PrefixCriterion
{
    /// <summary>Entropy of the mean prediction minus mean entropy of the predictions: H(mean_n p[n]) - mean_n H(p[n]), in nats. Large where
    /// single images are decided and the whole uses many classes.</summary>
    MutualInformation,

    /// <summary>Mean confidence without the classes' priors: mean_n max_c softmax_c(l[n, c] - b[c]), where b[c] is the mean logit of the
    /// class over these images, averaged with that over the training images where the model knows it. After arXiv 2302.06235.</summary>
    CorrectedConfidence,

    /// <summary>Share of images whose label equals that of the blend of all prefixes. Single prefixes only: blends are near by
    /// construction.</summary>
    Agreement,

    /// <summary>Minus the squared Fréchet distance between these images' embeddings and the training images' of each dataset type, both
    /// taken as normal distributions with diagonal covariance; a blend is the mixture of its types. Class names play no
    /// part.</summary>
    TrainingSimilarity,

    /// <summary>Share of randomly cropped and mirrored views whose label equals that of their image; four views each, which takes five
    /// times as long as the others.</summary>
    Consistency,

    /// <summary>The farther these images are from another dataset type's training images, compared with the caption type's (of several, the
    /// nearest's), the larger the caption type's share: 1 + ln(d / d_caption) / 6, where d is the distance of
    /// <see cref="TrainingSimilarity"/>. About half near the other type's images, all of it where neither is nearer, and up to 1.25, which
    /// leads away from the other type, far from them. The share in hundredths is chosen as it is; the value of other blends is minus the
    /// distance of their share from it. Class names play no part. The default.</summary>
    DistanceRatio,
}
