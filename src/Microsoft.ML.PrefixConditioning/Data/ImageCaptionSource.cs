using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Fields of a caption table that hold the image and the caption: by header name, or by index if there is no header
/// line.</summary>
internal sealed record CaptionTableFields(string? Image, string? Caption, int? ImageIndex, int? CaptionIndex);

/// <summary>Turns a caption table into rows.</summary>
/// <param name="ImageRoot">Folder or archive of relative image paths; null means the folder of the table.</param>
/// <param name="AllowOutsideRoot">Whether rows may name any file.</param>
/// <param name="Fields">The fields of image and caption.</param>
/// <param name="Separator">The character between two fields; null to infer it from the extension.</param>
/// <param name="DatasetType">Value of the dataset-type column.</param>
/// <param name="Columns">Names of the columns.</param>
internal sealed record ImageCaptionSource(
    string? ImageRoot, bool AllowOutsideRoot, CaptionTableFields Fields, char? Separator, string DatasetType, SourceColumns Columns)
    : DatasetSource(DatasetType, Columns)
{
    /// <summary>Header names for the image, in order of preference; case, spaces, '_' and '-' are ignored.</summary>
    public static readonly string[] ImageFieldNames =
        ["image", "imagepath", "filepath", "imagefile", "imagefilename", "imagename", "filename", "file", "path", "img", "imgpath"];

    /// <summary>Header names for the caption, in the same way.</summary>
    public static readonly string[] CaptionFieldNames =
        ["caption", "title", "text", "description", "sentence", "alttext", "alt", "captions", "comment"];

    /// <inheritdoc/>
    public override void Check()
    {
        base.Check();
        CheckIndexes(Fields);
    }

    /// <summary>Checks the table; images are not opened. Rows are read from the file whenever a cursor comes to them.</summary>
    /// <returns>Columns image, text, dataset type and label (missing), in the table's order.</returns>
    public override IDataView Load(LongPhase phase, string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var root = new ImageRoot(path, ImageRoot, AllowOutsideRoot);
        if (JsonLinesSource.HasExtension(path)) return JsonLinesSource.Load(phase, path, root, Fields, DatasetType, Columns);
        var table = new CaptionTable(path, Separator ?? SeparatorOf(path));
        using (var reader = table.Open()) CheckRows(phase, reader, Fields, table, root);
        if (table.Count == 0)
            throw new InvalidDataException(
                $"{NearName.Quoted(path)} has no rows{(Fields.ImageIndex is null ? " below its header line" : "")}.");
        return new TextRowsView(table.Count, Columns.Names(), isRandom => new Rows(table.OpenRows(isRandom), table, root, DatasetType));
    }

    /// <inheritdoc/>
    protected override LongPhase Start(IHostEnvironment environment) => new(environment, "LoadImageCaptions", "rows");

    private static void CheckRows(
        LongPhase phase, DelimitedReader reader, CaptionTableFields fields, CaptionTable table, ImageRoot root)
    {
        int? imageIndex = fields.ImageIndex, captionIndex = fields.CaptionIndex;
        int width = 0, named = 0;   // fields of a line, and those that it must have
        if (imageIndex is null && reader.Read())
        {
            imageIndex = FindField(reader, fields.Image, ImageFieldNames, "image");
            captionIndex = FindField(reader, fields.Caption, CaptionFieldNames, "caption");
            width = reader.Fields.Count;
            named = reader.Fields.FindLastIndex(f => !string.IsNullOrWhiteSpace(f)) + 1;
            if (imageIndex == captionIndex)
                throw reader.Fault(
                    $"field {NearName.Quoted(reader.Fields[imageIndex.Value])} was named for both the image and the caption.");
        }
        (table.ImageIndex, table.CaptionIndex) = (imageIndex ?? 0, captionIndex ?? 0);
        while (reader.Read())
        {
            var row = reader.Fields;
            if (width == 0)
            {
                width = named = row.Count;
                if (Math.Max(imageIndex!.Value, captionIndex!.Value) >= width)
                    throw reader.Fault($"there are {width} field(s), but imageIndex is {imageIndex} and captionIndex {captionIndex}; " +
                        $"the first field is 0.{reader.SeparatorHint(otherwise: " Is the separator right?")}");
            }
            while (row.Count > width && row[^1].Length == 0) row.RemoveAt(row.Count - 1);   // separators at the line's end
            if (row.Count < named || row.Count > width)
                throw reader.Fault($"there are {row.Count} field(s), expected {width} as in the first line. " +
                    "Put quotes around a field that contains a separator or a line break.");
            if (root.Refusal(ImagePath(row[table.ImageIndex].Trim())) is { } refusal) throw reader.Fault(refusal);
            table.Add(reader.Position);
            phase.Advance();
        }
    }

    internal static string ImagePath(string field)
    {
        var path = ImageLocator.FromFileUri(field).Replace('\\', '/');
        return path.StartsWith("./", StringComparison.Ordinal) ? path[2..] : path;
    }

    private static int FindField(DelimitedReader reader, string? asked, string[] known, string what)
    {
        var header = reader.Fields;
        var found = -1;
        if (asked is not null)
        {
            found = header.FindIndex(f => f.Trim() == asked);
            if (found < 0) found = header.FindIndex(f => f.Trim().Equals(asked, StringComparison.OrdinalIgnoreCase));
            if (found < 0)
                throw reader.Fault($"there is no field {NearName.Quoted(asked)} for the {what}; the header has " +
                    $"{NearName.List(header)}.{reader.SeparatorHint(otherwise: NearName.Question(asked, header))}");
        }
        for (var i = 0; found < 0 && i < known.Length; i++) found = header.FindIndex(f => Simplified(f) == known[i]);
        if (found < 0)
            throw reader.Fault($"no field of the header ({NearName.List(header)}) is a known name for the {what}: " +
                $"{string.Join(", ", known)}.{reader.SeparatorHint(
                    otherwise: $" Set {what}Field to its name; or set imageIndex and captionIndex if the table has no header line.")}");
        if (header.Where((f, i) => i != found && f.Trim() == header[found].Trim()).Any())
            throw reader.Fault($"the header names the {what} field {NearName.Quoted(header[found].Trim())} twice. Rename one.");
        return found;
    }

    internal static string Simplified(string name) => string.Concat(name.Where(c => c is not (' ' or '_' or '-'))).ToLowerInvariant();

    private static void CheckIndexes(CaptionTableFields fields)
    {
        if (fields.ImageIndex is null && fields.CaptionIndex is null) return;
        if (fields is { ImageIndex: null } or { CaptionIndex: null })
            throw new ArgumentException("Only one of imageIndex and captionIndex is set; a table without a header line needs both.");
        if (fields.Image is not null || fields.Caption is not null)
            throw new ArgumentException("imageField and captionField name fields of a header line, imageIndex and captionIndex count " +
                "fields where there is none. Set one pair only.");
        if (fields.ImageIndex < 0 || fields.CaptionIndex < 0 || fields.ImageIndex == fields.CaptionIndex)
            throw new ArgumentException($"imageIndex is {fields.ImageIndex} and captionIndex {fields.CaptionIndex}; " +
                "they must be 0 or more and differ.");
    }

    private static char SeparatorOf(string path) => Path.GetExtension(path).ToUpperInvariant() switch
    {
        ".TSV" or ".TAB" => '\t',
        ".CSV" => ',',
        _ => throw new ArgumentException($"The separator of '{path}' cannot be inferred from its extension, which is neither .tsv, .tab " +
            "nor .csv. Set separator."),
    };

    /// <summary>Rows of the table with the columns of a source.</summary>
    private sealed class Rows(CaptionTable.RowReader rows, CaptionTable table, ImageRoot root, string datasetType) : IRowTexts
    {
        public string? Text(int row, int column) => column switch
        {
            0 => root.Locator(ImagePath(rows.Fields(row)[table.ImageIndex].Trim())),
            1 => rows.Fields(row)[table.CaptionIndex],
            2 => datasetType,
            _ => null,
        };

        public void Dispose() => rows.Dispose();
    }
}
