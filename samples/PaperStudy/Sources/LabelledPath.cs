namespace PaperStudy;

/// <summary>A labelled image by its path.</summary>
internal sealed class LabelledPath
{
    public string Image { get; set; } = "";

    public string Text { get; set; } = "";

    public string Label { get; set; } = "";
}

/// <summary>A labelled image by its encoded file.</summary>
internal sealed class LabelledBytes
{
    public byte[] Image { get; set; } = [];

    public string Text { get; set; } = "";

    public string Label { get; set; } = "";
}
