namespace PaperStudy;

/// <summary>A table as plain values, for Markdown and HTML alike.</summary>
/// <param name="Title">Heading.</param>
/// <param name="Note">How to read it, in a few sentences.</param>
/// <param name="Columns">Headings; the first column names the rows.</param>
/// <param name="Rows">One cell per column each.</param>
/// <param name="Foot">Rows below a line, such as chance.</param>
internal sealed record StudyTable(
    string Title,
    string Note,
    IReadOnlyList<TableColumn> Columns,
    IReadOnlyList<IReadOnlyList<TableCell>> Rows,
    IReadOnlyList<IReadOnlyList<TableCell>> Foot);

/// <summary>A column's heading.</summary>
/// <param name="Name">Short.</param>
/// <param name="Description">A sentence about it, or empty.</param>
/// <param name="IsNumber">Whether its cells are numbers, which stand to the right.</param>
internal sealed record TableColumn(string Name, string Description = "", bool IsNumber = true);

/// <summary>A cell.</summary>
/// <param name="Text">What it says.</param>
/// <param name="Detail">An addition in smaller type, such as an interval; may be empty.</param>
/// <param name="Mark">What is special about it.</param>
internal sealed record TableCell(string Text, string Detail = "", CellMark Mark = CellMark.None)
{
    /// <summary>Where there is nothing to show.</summary>
    public static TableCell Empty { get; } = new("–");

    /// <summary>The mark as a sign, so that it does not depend on color alone; empty without one.</summary>
    public string Sign => Mark switch
    {
        CellMark.Best => "★",
        CellMark.Better => "▲",
        CellMark.Worse => "▼",
        _ => "",
    };
}

/// <summary>What is special about a cell.</summary>
internal enum CellMark
{
    None,

    /// <summary>The best of its column.</summary>
    Best,

    /// <summary>Better, and the interval excludes zero.</summary>
    Better,

    /// <summary>Worse, and the interval excludes zero.</summary>
    Worse,
}
