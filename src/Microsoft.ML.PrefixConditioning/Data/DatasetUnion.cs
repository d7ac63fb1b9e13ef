using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Joins several views into one of image, text, dataset type, label and, if one has it, weight; rows are read lazily.</summary>
internal sealed class DatasetUnion : IDataView
{
    private readonly IDataView[] _views;

    private DatasetUnion(IDataView[] views, DataViewSchema schema)
    {
        _views = views;
        Schema = schema;
        // A fair shuffle draws from each view in proportion to the rows that it has left, so it must know how many there are.
        CanShuffle = Array.TrueForAll(views, v => v.CanShuffle && v.GetRowCount() is not null);
    }

    /// <inheritdoc/>
    public bool CanShuffle { get; }

    /// <inheritdoc/>
    public DataViewSchema Schema { get; }

    /// <summary>Checks the views and creates the union.</summary>
    /// <exception cref="ArgumentException">There are no views, or one is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of a wrong type, or the images differ in form.</exception>
    public static DatasetUnion Create(IChannel channel, IReadOnlyList<IDataView> datasets, SourceColumns columns)
    {
        if (datasets.Count == 0) throw new ArgumentException("There are no datasets to unify; give at least one view.", nameof(datasets));
        var imageTypes = new DataViewType[datasets.Count];
        var hasWeights = false;
        for (var i = 0; i < datasets.Count; i++)
        {
            if (datasets[i] is not { } view)
                throw new ArgumentException($"datasets[{i}] is null; every dataset must be a view.", nameof(datasets));
            try
            {
                imageTypes[i] = ColumnReader.RequireImage(view.Schema, columns.Image, "imageColumnName").Type;
                ColumnReader.RequireText(view.Schema, columns.Text, "textColumnName");
                ColumnReader.RequireTextOrKey(view.Schema, columns.DatasetType, "datasetTypeColumnName");
                if (view.Schema.GetColumnOrNull(columns.Label) is not null)
                    ColumnReader.RequireTextOrKey(view.Schema, columns.Label, "labelColumnName");
                hasWeights |= ColumnReader.OptionalWeight(view.Schema, columns.Weight, "weightColumnName") is not null;
            }
            catch (ArgumentOutOfRangeException e)
            {
                var untagged = view.Schema.GetColumnOrNull(columns.DatasetType) is null ? " TagDatasetType adds a dataset type." : "";
                throw new ArgumentOutOfRangeException($"datasets[{i}]", $"{WithoutParameter(e)}{untagged}");
            }
        }
        if (imageTypes.Select(FormOf).Distinct().Count() > 1)
        {
            var forms = imageTypes.Select((type, i) => $"datasets[{i}] has {FormOf(type)}");
            throw new ArgumentOutOfRangeException(nameof(datasets),
                $"The image columns have different types: {string.Join(", ", forms)}. " +
                "Convert them to one type: LoadRawImageBytes turns paths into encoded files, LoadImages turns them into images.");
        }
        var builder = new DataViewSchema.Builder();
        builder.AddColumn(columns.Image, UnifiedImageType(imageTypes), LeftOutRows.Annotations(LeftOutRows.Sum(
            datasets.Select(view => LeftOutRows.Of(view.Schema[columns.Image])))));
        foreach (var name in new[] { columns.Text, columns.DatasetType, columns.Label }) builder.AddColumn(name, TextDataViewType.Instance);
        if (hasWeights) builder.AddColumn(columns.Weight, NumberDataViewType.Single);
        for (var i = 0; i < datasets.Count; i++) Report(channel, datasets[i], $"datasets[{i}]", columns);
        return new DatasetUnion([.. datasets], builder.ToSchema());
    }

    /// <summary>Logs what the union drops from a dataset.</summary>
    private static void Report(IChannel channel, IDataView view, string name, SourceColumns columns)
    {
        if (view.GetRowCount() == 0) channel.Warning(MessageSensitivity.None, "{0}", $"{name} has no rows.");
        string[] dropped = [.. view.Schema.Where(c => !c.IsHidden).Select(c => c.Name)
            .Except([columns.Image, columns.Text, columns.DatasetType, columns.Label, columns.Weight], StringComparer.Ordinal)];
        if (dropped.Length > 0)
            channel.Info(MessageSensitivity.None, "{0}", $"{name}: dropped columns: {NearName.List(dropped)}.");
        if (view.Schema.GetColumnOrNull(columns.Label) is null && NearName.Find(columns.Label, dropped) is { } near)
            channel.Warning(MessageSensitivity.None, "{0}", $"{name} has no label column '{columns.Label}', so its labels are missing. " +
                $"Did you mean '{NearName.Visible(near)}'? Rename it with CopyColumns.");
    }

    /// <inheritdoc/>
    public long? GetRowCount()
    {
        long sum = 0;
        foreach (var view in _views)
        {
            if (view.GetRowCount() is not { } count) return null;
            sum += count;
        }
        return sum;
    }

    /// <inheritdoc/>
    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        new DatasetUnionCursor(Schema, _views, columnsNeeded, CanShuffle ? rand : null);

    /// <inheritdoc/>
    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private static DataViewType UnifiedImageType(DataViewType[] types)
    {
        if (types.All(types[0].Equals)) return types[0];
        return types[0] is ImageDataViewType ? new ImageDataViewType() : new VectorDataViewType(NumberDataViewType.Byte);   // sizes differ
    }

    private static string FormOf(DataViewType type) => type switch
    {
        TextDataViewType => "text (paths)",
        ImageDataViewType => "ML.NET images",
        _ => "byte vectors (encoded files)",
    };

    private static string WithoutParameter(ArgumentException e) =>
        e.Message.Replace($" (Parameter '{e.ParamName}')", "", StringComparison.Ordinal);
}
