using System.Text;

namespace PaperStudy;

/// <summary>Writes texts and tables as GitHub's Markdown.</summary>
internal static class Markdown
{
    private const string Special = @"\`*_[]<>|#";

    /// <summary>A table with its note.</summary>
    public static string Table(StudyTable table)
    {
        if (table.Rows.Count == 0) return "Nothing is measured yet.\n";
        var text = new StringBuilder();
        if (table.Note.Length > 0) text.Append(Escape(table.Note)).Append("\n\n");
        AddRow(text, table.Columns.Select(column => Escape(column.Name)));
        AddRow(text, table.Columns.Select(column => column.IsNumber ? "---:" : "---"));
        foreach (var row in table.Rows.Concat(table.Foot)) AddRow(text, row.Select(Cell));
        return text.ToString();
    }

    /// <summary>Text whose characters mean only themselves, on one line.</summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var c in text)
            if (c is '\r' or '\n') escaped.Append(' ');
            else if (Special.Contains(c, StringComparison.Ordinal)) escaped.Append('\\').Append(c);
            else escaped.Append(c);
        return escaped.ToString();
    }

    private static void AddRow(StringBuilder text, IEnumerable<string> cells) => text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");

    private static string Cell(TableCell cell)
    {
        var text = cell.Mark == CellMark.Best ? $"**{Escape(cell.Text)}**" : Escape(cell.Text);
        return string.Join(' ', new[] { text, Escape(cell.Detail), cell.Sign }.Where(part => part.Length > 0));
    }
}
