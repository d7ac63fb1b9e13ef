namespace Samples;

/// <summary>Zero-shot accuracies: one row per model and test-time prefix, one column per test set.</summary>
internal sealed record AccuracyTable(IReadOnlyList<AccuracyColumn> Columns, IReadOnlyList<AccuracyRow> Rows)
{
    /// <summary>Whether a row is the best of a column, or as good as the best.</summary>
    public bool IsBest(AccuracyRow row, int column) =>
        row.Accuracies[column] is { } accuracy && Rows.All(other => !(other.Accuracies[column] > accuracy));
}

/// <summary>One test set.</summary>
/// <param name="Name">Short name, such as "near".</param>
/// <param name="Description">One sentence about its pictures.</param>
/// <param name="Chance">Accuracy of guessing: 1 / number of classes.</param>
internal sealed record AccuracyColumn(string Name, string Description, double Chance);

/// <summary>One way to classify.</summary>
/// <param name="Model">Which model, such as "with prefixes".</param>
/// <param name="Prefix">Which prefix the class names got, such as "caption".</param>
/// <param name="Accuracies">One per column, 0 to 1; null where it was not measured.</param>
internal sealed record AccuracyRow(string Model, string Prefix, IReadOnlyList<double?> Accuracies);
