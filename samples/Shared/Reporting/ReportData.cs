namespace Samples;

/// <summary>Everything that a report shows, as plain values.</summary>
/// <param name="Title">Heading of the page.</param>
/// <param name="Introduction">A few sentences below the heading.</param>
/// <param name="Facts">What was trained and how: names and values.</param>
/// <param name="Table">Zero-shot accuracies.</param>
/// <param name="Curves">Training losses, one curve per model.</param>
/// <param name="Predictions">Example predictions, one set per test set.</param>
/// <param name="Files">Where files were written: what they are, and their paths.</param>
internal sealed record ReportData(
    string Title,
    string Introduction,
    IReadOnlyList<(string Key, string Value)> Facts,
    AccuracyTable Table,
    IReadOnlyList<LossCurve> Curves,
    IReadOnlyList<PredictionSet> Predictions,
    IReadOnlyList<(string Key, string Value)> Files);

/// <summary>The losses of one training run.</summary>
/// <param name="Name">Which model.</param>
/// <param name="Points">Steps, rising, with the loss of each.</param>
internal sealed record LossCurve(string Name, IReadOnlyList<(int Step, double Loss)> Points);

/// <summary>Some predictions on one test set.</summary>
/// <param name="Name">The test set.</param>
/// <param name="Description">One sentence about it, or about how the classes were predicted.</param>
/// <param name="Predictions">In the order to show.</param>
internal sealed record PredictionSet(string Name, string Description, IReadOnlyList<Prediction> Predictions);

/// <summary>One predicted class.</summary>
/// <param name="ImagePath">The picture's file.</param>
/// <param name="TrueClass">What it shows.</param>
/// <param name="PredictedClass">What the model says.</param>
/// <param name="Probability">The model's probability for that, 0 to 1.</param>
internal sealed record Prediction(string ImagePath, string TrueClass, string PredictedClass, double Probability)
{
    public bool IsRight => TrueClass == PredictedClass;
}
