using System.Globalization;

namespace Samples;

/// <summary>Writes accuracies as plain text in aligned columns.</summary>
internal static class ConsoleTable
{
    /// <summary>Writes the table; the best value of each column carries a star.</summary>
    public static void Write(TextWriter output, AccuracyTable table)
    {
        string[] header = ["model", "prefix", .. table.Columns.Select(column => column.Name)];
        var lines = new List<string[]> { header };
        foreach (var row in table.Rows)
        {
            var cells = row.Accuracies.Select((accuracy, column) => Percent(accuracy) + (table.IsBest(row, column) ? "*" : " "));
            lines.Add([row.Model, row.Prefix, .. cells]);
        }
        lines.Add(["chance", "", .. table.Columns.Select(column => Percent(column.Chance) + " ")]);

        int[] widths = [.. header.Select((_, column) => lines.Max(line => line[column].Length))];
        for (var line = 0; line < lines.Count; line++)
        {
            var cells = lines[line].Select((cell, column) => Pad(cell, column, widths[column], isHeader: line == 0));
            output.WriteLine(string.Join("  ", cells).TrimEnd());
            if (line == 0 || line == lines.Count - 2) output.WriteLine(string.Join("  ", widths.Select(width => new string('-', width))));
        }
        output.WriteLine("Zero-shot accuracy in percent; * marks the best of each column.");
    }

    // Words to the left, numbers to the right; headings end above the last digit, not above the star.
    private static string Pad(string cell, int column, int width, bool isHeader) =>
        column < 2 ? cell.PadRight(width) : (isHeader && cell.Length < width ? cell + " " : cell).PadLeft(width);

    private static string Percent(double? accuracy) =>
        accuracy is { } value ? (100 * value).ToString("0.0", CultureInfo.InvariantCulture) : "-";
}
