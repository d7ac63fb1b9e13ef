namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reports on trained models.</summary>
public static class PrefixClipReport
{
    /// <summary>Writes an HTML page about a model: how it was trained and, with test sets, how well its prefixes classify.</summary>
    /// <param name="model">The trained model.</param>
    /// <param name="path">The HTML file; its folder must exist. An existing file is replaced in one move.</param>
    /// <param name="options">Test sets, captioned images for retrieval, and another model to compare with; null for none of them.</param>
    /// <returns>The page's headline, and its accuracies as text.</returns>
    /// <remarks>
    /// <para>The page is one file without scripts, made for wide and narrow, light and dark screens. The history gives curves of loss,
    /// learning rate and validation. Each test set gives accuracies and their paired differences with 95 % confidence intervals,
    /// confusions, the most certain right and wrong predictions with pictures, and a map of up to 400 embeddings. Pictures have at most
    /// 96 x 96 pixels. A page takes at most about 500 KB plus 250 KB for each test set, and much less as a rule.</para>
    /// <para>Images are encoded once per model and image prefix. Rows with an unreadable image, or without a label, are counted and left
    /// out, regardless of the model's policy.</para>
    /// </remarks>
    /// <exception cref="ArgumentException">The path is empty, an option cannot be used, or a blend names an unknown dataset
    /// type.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column of a view is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">A label is not among the class names, or a test set has no row that can be
    /// scored.</exception>
    /// <exception cref="IOException">The file cannot be written; an existing file is unchanged.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <example>
    /// <code>
    /// ReportSummary summary = model.SaveReport("report.html", new() { TestSets = [new("test", test)], Captioned = captioned });
    /// Console.WriteLine(summary.Headline);
    /// </code>
    /// </example>
    public static ReportSummary SaveReport(this PrefixClipTransformer model, string path, ReportOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        options ??= new();
        options.Validate();
        var comparison = ReportComparison.Of(model, options);
        var headline = Headline.Of(comparison);
        var page = ReportPage.Of(model.Trained, options, comparison, headline);
        AtomicFile.Replace(path, stream => Markup.Write(stream, page));
        return new ReportSummary(comparison, headline);
    }
}
