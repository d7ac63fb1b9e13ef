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
        for (var i = 0; i < table.Columns.Count; i++)
        {
            var column = table.Columns[i];
            var kind = i == 0 ? "first" : column.IsNumber ? "number" : "";
            html.Add($"""<th scope="col" class="{kind}" title="{column.Description}">{column.Name}</th>""");
        }
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
        var html = new Html().Add($"""<tr><th scope="row"><span class="text">{cells[0].Text}</span></th>""");
        for (var i = 1; i < cells.Count; i++) html.Add($"{(table.Columns[i].IsNumber ? Number(cells[i]) : Text(cells[i]))}");
        return html.Add($"</tr>");
    }

    private static Html Text(TableCell cell) => new Html().Add($"""<td><span class="text">{cell.Text}</span></td>""");

    // The sign hangs to the right of the number, so that numbers stand below each other with and without it.
    private static Html Number(TableCell cell)
    {
        var html = new Html().Add($"""<td class="number {cell.Mark.ToString().ToLowerInvariant()}">{cell.Text}""");
        if (cell.Sign.Length > 0) html.Add($"""<span class="sign">{cell.Sign}</span>""");
        if (cell.Detail.Length > 0) html.Add($"""<span class="detail">{cell.Detail}</span>""");
        return html.Add($"</td>");
    }
}
