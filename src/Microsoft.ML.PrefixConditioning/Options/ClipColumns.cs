using System.ComponentModel.DataAnnotations;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Names of the columns that a model reads and adds.</summary>
public sealed record ClipColumns : IValidatableObject
{
    /// <summary>Input column with the image.</summary>
    /// <value>Text (a path, or a locator inside an archive), a vector of bytes (an encoded file) or an ML.NET image. Default
    /// "Image".</value>
    public string Image { get; init; } = "Image";

    /// <summary>Input column with the caption, or with the class name of a labeled image. A trained model also works without it.</summary>
    /// <value>Text. Default "Text".</value>
    public string Text { get; init; } = "Text";

    /// <summary>Input column with the dataset type, which selects the prefix that a row trains. Only training reads it.</summary>
    /// <value>Text, or a key with text values. Default "DatasetType".</value>
    public string DatasetType { get; init; } = "DatasetType";

    /// <summary>Input column with the class. Without it, rows of a class-name type with equal texts belong to one class.</summary>
    /// <value>Text, or a key with text values. Default "Label".</value>
    public string Label { get; init; } = "Label";

    /// <summary>Input column with the weights of rows: how often a row is drawn, relative to the other rows of its dataset type. Without
    /// it, all weigh 1. Only training reads it.</summary>
    /// <value>Float; greater than 0, with at most 256 different values. Default "Weight".</value>
    public string Weight { get; init; } = "Weight";

    /// <summary>Output column with image embeddings.</summary>
    /// <value>A vector of float of the embedding size, with unit length. Default "ImageEmbedding".</value>
    public string ImageEmbedding { get; init; } = "ImageEmbedding";

    /// <summary>Output column with text embeddings, added if the input has the text column.</summary>
    /// <value>A vector of float of the embedding size, with unit length. Default "TextEmbedding".</value>
    public string TextEmbedding { get; init; } = "TextEmbedding";

    IEnumerable<ValidationResult> IValidatableObject.Validate(ValidationContext validationContext)
    {
        if (ImageEmbedding == TextEmbedding)
            yield return new(
                $"{nameof(ImageEmbedding)} and {nameof(TextEmbedding)} are both '{ImageEmbedding}'; give them different names.");
    }
}
