namespace Microsoft.ML.PrefixConditioning;

/// <summary>A kind of training data with a prefix of its own.</summary>
/// <remarks>Source: "Prefix Conditioning Unifies Language and Label Supervision", arXiv 2206.01125, section 3.2.</remarks>
/// <param name="Name">The value of the dataset-type column for rows of this type; case matters.</param>
/// <param name="Texts">Whether the texts are captions or class names; class names go through the prompt templates.</param>
public sealed record DatasetType(string Name, TextKind Texts)
{
    /// <summary>Images with free text: "caption".</summary>
    public static DatasetType Caption { get; } = new("caption", TextKind.Caption);

    /// <summary>Images with class names: "classification".</summary>
    public static DatasetType Classification { get; } = new("classification", TextKind.ClassName);
}

/// <summary>What the texts of a dataset type are.</summary>
public enum TextKind
{
    /// <summary>Free text, used as it is.</summary>
    Caption,

    /// <summary>The name of a class, put into a prompt template before it is encoded.</summary>
    ClassName,
}
