namespace Microsoft.ML.PrefixConditioning;

/// <summary>Which parts of a model are trained; the others are frozen: no gradient, no weight decay, no state of the optimizer.</summary>
[Flags]
public enum TrainableParts
{
    /// <summary>Nothing; no run can be made of it.</summary>
    None = 0,

    /// <summary>The vision tower up to its last norm, without its projection and prefixes.</summary>
    Vision = 1,

    /// <summary>The text tower up to its last norm, without its projection and prefixes.</summary>
    Text = 2,

    /// <summary>The matrices that bring both towers' outputs to the size of the embeddings.</summary>
    Projections = 4,

    /// <summary>The prefixes of both towers.</summary>
    Prefixes = 8,

    /// <summary>The factor between cosine similarity and logit.</summary>
    LogitScale = 16,

    /// <summary>The whole model.</summary>
    All = Vision | Text | Projections | Prefixes | LogitScale,
}
