namespace PaperStudy;

/// <summary>A labeled image by its path.</summary>
internal sealed class LabeledPath
{
    public string Image { get; set; } = "";

    public string Text { get; set; } = "";

    public string Label { get; set; } = "";
}
