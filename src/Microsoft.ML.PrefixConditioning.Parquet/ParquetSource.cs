using Microsoft.ML.Data;
using Parquet.Schema;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The columns of Parquet files that are read, by their names there.</summary>
internal sealed record ParquetFields(string Image, string Caption, string? Label, string? DatasetType, string[] Further);

/// <summary>Turns Parquet files into rows.</summary>
internal static class ParquetSource
{
    private const string Extension = ".parquet";

    /// <summary>Reads the files' footers in parallel.</summary>
    /// <returns>Columns image, text, dataset type, label and the further ones, in the order of files and rows.</returns>
    public static IDataView Load(LongPhase phase, string files, ParquetFields fields, string? imageRoot, bool allowOutsideRoot,
        IReadOnlyDictionary<string, string>? classNames, BadRowPolicy badRows, string datasetType, SourceColumns columns)
    {
        var paths = ShardList.Expand(files, "*.parquet");
        if (Array.Find(paths, p => !p.EndsWith(Extension, StringComparison.OrdinalIgnoreCase)) is { } other)
            throw new ArgumentException($"{NearName.Quoted(other)} does not end in {Extension}, by which its images are found. " +
                "Rename it.", nameof(files));
        var root = new ImageRoot(paths[0], imageRoot, allowOutsideRoot);
        var shards = new ParquetShard[paths.Length];
        ParallelLoop.Run(paths.Length, i =>
        {
            phase.Advance();
            shards[i] = ParquetShard.Open(paths[i], (path, schema) => Select(path, schema, fields));
        });
        CheckTypes(shards);
        var first = Array.Find(shards, s => s.FirstFault is not null)?.FirstFault;
        if (first is not null && badRows == BadRowPolicy.Fail) throw LeftOutRows.Refusal(first, "rows");
        var count = shards.Sum(s => s.Count);
        if (count == 0)
            throw new InvalidDataException($"{NearName.Quoted(files)} has no rows in {paths.Length} file(s). {first}".TrimEnd());
        var leftOut = LeftOutRows.Told(phase.Channel, shards.Sum(s => s.FaultCount), first,
            $"{NearName.Quoted(files)}: {count} row(s) in {paths.Length} file(s)");
        RowGroupImages.Register(Extension);
        return new ParquetView(shards, count, Outputs(shards[0].Fields, fields, root, classNames, datasetType, columns), leftOut);
    }

    /// <summary>The fields of one file, in the order image, caption, label, dataset type, further ones.</summary>
    private static (DataField Field, bool IsRequired)[] Select(string path, ParquetSchema schema, ParquetFields fields)
    {
        var byName = schema.DataFields.DistinctBy(ParquetShard.NameOf).ToDictionary(ParquetShard.NameOf, StringComparer.Ordinal);
        var image = byName.ContainsKey(fields.Image) ? fields.Image : $"{fields.Image}.bytes";
        List<(DataField, bool)> found =
        [
            (Find(byName.ContainsKey(image) ? image : fields.Image, "an image (bytes) or a path (text)",
                c => c.IsBytes || c.Type is TextDataViewType), true),
            (Find(fields.Caption, "text or a whole number", c => c.IsTextOrCode), true),
        ];
        if (fields.Label is { } label) found.Add((Find(label, "text or a whole number", c => c.IsTextOrCode), false));
        if (fields.DatasetType is { } type) found.Add((Find(type, "text", c => c.Type is TextDataViewType), false));
        foreach (var name in fields.Further)
        {
            var field = Find(name, "text, Boolean or a number", c => !c.IsBytes);
            found.Add((field, !ParquetColumn.For(field)!.HasMissing));
        }
        return [.. found];

        DataField Find(string name, string expected, Func<ParquetColumn, bool> isRight)
        {
            if (!byName.TryGetValue(name, out var field))
                throw new InvalidDataException($"{NearName.Quoted(path)} has no column {NearName.Quoted(name)}; it has " +
                    $"{NearName.List(byName.Keys)}.{NearName.Question(name, byName.Keys)}");
            return ParquetColumn.For(field) is { } column && isRight(column) ? field
                : throw new InvalidDataException($"{NearName.Quoted(path)}: column {NearName.Quoted(name)} is " +
                    $"{ParquetColumn.Describe(field)}, expected {expected}.");
        }
    }

    private static void CheckTypes(ParquetShard[] shards)
    {
        foreach (var shard in shards)
            foreach (var (field, expected) in shard.Fields.Zip(shards[0].Fields))
                if (field.ClrType != expected.ClrType)
                    throw new InvalidDataException($"{NearName.Quoted(shard.Path)}: column " +
                        $"{NearName.Quoted(ParquetShard.NameOf(field))} is {ParquetColumn.Describe(field)}, expected " +
                        $"{ParquetColumn.Describe(expected)} as in {NearName.Quoted(shards[0].Path)}.");
    }

    private static string? Locator(ImageRoot root, string field)
    {
        var path = ImageCaptionSource.ImagePath(field.Trim());
        return root.Refusal(path) is { } refusal ? throw new InvalidDataException($"A row cannot be used: {refusal}") : root.Locator(path);
    }

    private static ParquetOutput[] Outputs(DataField[] found, ParquetFields fields, ImageRoot root,
        IReadOnlyDictionary<string, string>? classNames, string datasetType, SourceColumns columns)
    {
        var image = found[0];
        var isPath = !ParquetColumn.For(image)!.IsBytes;
        var next = 2;
        List<ParquetOutput> outputs =
        [
            isPath ? new(columns.Image, image, path => Locator(root, path))
                : new(columns.Image, image, Text: null),
            new(columns.Text, found[1], Named),
        ];
        var label = fields.Label is null ? null : found[next++];
        var type = fields.DatasetType is null ? null : found[next++];
        outputs.Add(new(columns.DatasetType, type, type is null ? _ => datasetType : text => text));
        outputs.Add(new(columns.Label, label, label is null ? _ => null : Named));
        outputs.AddRange(found[next..].Zip(fields.Further, (field, name) => new ParquetOutput(name, field, Text: null)));
        if (outputs.GroupBy(o => o.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new ArgumentException($"Two columns would be named {NearName.Quoted(twice.Key)}. Name each further column once, and " +
                "none like the image, text, dataset type or label column.");
        return [.. outputs];

        string? Named(string code) => classNames is not null && classNames.TryGetValue(code, out var name) ? name : code;
    }
}
