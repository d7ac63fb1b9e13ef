using Samples;

namespace PaperStudy;

/// <summary>Writes tables as HTML.</summary>
internal static class HtmlTable
{
    /// <summary>A table with its note; wide ones scroll within the page, and the first column stays.</summary>
    public static Html Draw(StudyTable table)
    {
        var html = new Html();
        if (table.Rows.Count == 0) return html.Add($"<p>Nothing is measured yet.</p>");
        if (table.Note.Length > 0) html.Add($"""<p class="note">{table.Note}</p>""");
        html.Add($"""<div class="wide" tabindex="0" role="region" aria-label="{table.Title}"><table><thead><tr>""");
        foreach (var column in table.Columns)
            html.Add($"""<th scope="col" class="{(column.IsNumber ? "number" : "")}" title="{column.Description}">{column.Name}</th>""");
        html.Add($"</tr></thead><tbody>");
        foreach (var row in table.Rows) html.Add($"{Row(table, row)}");
        html.Add($"</tbody>");
        if (table.Foot.Count > 0) html.Add($"<tfoot>");
        foreach (var row in table.Foot) html.Add($"{Row(table, row)}");
        if (table.Foot.Count > 0) html.Add($"</tfoot>");
        return html.Add($"</table></div>");
    }

    private static Html Row(StudyTable table, IReadOnlyList<TableCell> cells)
    {
        var html = new Html().Add($"""<tr><th scope="row">{cells[0].Text}</th>""");
        for (var i = 1; i < cells.Count; i++)
        {
            var cell = cells[i];
            var mark = cell.Mark == CellMark.None ? "" : $" {cell.Mark.ToString().ToLowerInvariant()}";
            var detail = cell.Detail.Length == 0 ? new Html() : new Html().Add($"""<span class="detail">{cell.Detail}</span>""");
            html.Add($"""<td class="{(table.Columns[i].IsNumber ? "number" : "")}{mark}">{cell.Text}{(cell.Sign.Length > 0 ? $" {cell.Sign}" : "")}{detail}</td>""");
        }
        return html.Add($"</tr>");
    }
}
