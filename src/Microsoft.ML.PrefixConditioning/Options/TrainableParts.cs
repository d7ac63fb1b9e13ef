namespace Microsoft.ML.PrefixConditioning;

/// <summary>Parts of a model to train. The others are frozen: they have no gradient, weight decay or optimizer state.</summary>
[Flags]
public enum TrainableParts
{
    /// <summary>Nothing; not valid for training.</summary>
    None = 0,

    /// <summary>The vision tower up to its last norm, without its projection and prefixes.</summary>
    Vision = 1,

    /// <summary>The text tower up to its last norm, without its projection and prefixes.</summary>
    Text = 2,

    /// <summary>The matrices that project the outputs of both towers to the embedding size.</summary>
    Projections = 4,

    /// <summary>The prefixes of both towers.</summary>
    Prefixes = 8,

    /// <summary>The factor from cosine similarity to logit, and the bias of <see cref="LossFunction.SigLip"/>.</summary>
    LogitScale = 16,

    /// <summary>The whole model.</summary>
    All = Vision | Text | Projections | Prefixes | LogitScale,
}
