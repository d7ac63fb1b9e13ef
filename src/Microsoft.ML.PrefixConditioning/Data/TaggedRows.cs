using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The rows to learn from, read once into memory, column by column; images stay undecoded.</summary>
internal sealed class TaggedRows
{
    private const string OptionsName = nameof(PrefixClipOptions);

    private TaggedRows(
        ImageReference[] images, string[] texts, int[] datasetTypes, int[] labels,
        IReadOnlyList<DatasetType> types, IReadOnlyList<string> classNames)
    {
        (Images, Texts, DatasetTypes, Labels, Types, ClassNames) = (images, texts, datasetTypes, labels, types, classNames);
        var counts = new int[types.Count];
        foreach (var type in datasetTypes) counts[type]++;
        RowCounts = counts;
    }

    /// <summary>Number of rows, N.</summary>
    public int Count => Texts.Length;

    /// <summary>[N] images. With <see cref="BadImagePolicy.Skip"/> some may be missing, for the reader of pixels to count.</summary>
    public ImageReference[] Images { get; }

    /// <summary>[N] captions or class names; equal texts are one string.</summary>
    public string[] Texts { get; }

    /// <summary>[N] indexes into <see cref="Types"/>.</summary>
    public int[] DatasetTypes { get; }

    /// <summary>[N] indexes into <see cref="ClassNames"/>; -1 for captions, which are each a class of their own.</summary>
    public int[] Labels { get; }

    /// <summary>The dataset types that have rows, in the options' order.</summary>
    public IReadOnlyList<DatasetType> Types { get; }

    /// <summary>Rows of each of <see cref="Types"/>.</summary>
    public IReadOnlyList<int> RowCounts { get; }

    /// <summary>By label: the text of the first row that has it.</summary>
    public IReadOnlyList<string> ClassNames { get; }

    /// <summary>Reads and checks every row.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of a wrong type.</exception>
    /// <exception cref="InvalidDataException">There are no rows, or one has no text, no image or an unknown dataset type.</exception>
    public static TaggedRows Read(IDataView input, PrefixClipOptions options)
    {
        ArgumentNullException.ThrowIfNull(input);
        var schema = input.Schema;
        var imageColumn = ColumnReader.RequireImage(schema, options.ImageColumnName, $"{OptionsName}.{nameof(options.ImageColumnName)}");
        var textColumn = ColumnReader.RequireText(schema, options.TextColumnName, $"{OptionsName}.{nameof(options.TextColumnName)}");
        var typeColumn = ColumnReader.RequireTextOrKey(schema, options.DatasetTypeColumnName,
            $"{OptionsName}.{nameof(options.DatasetTypeColumnName)} (or add one with TagDatasetType)");
        DataViewSchema.Column? labelColumn = schema.GetColumnOrNull(options.LabelColumnName) is null ? null
            : ColumnReader.RequireTextOrKey(schema, options.LabelColumnName, $"{OptionsName}.{nameof(options.LabelColumnName)}");

        var rows = new Collector(options, (int)Math.Min(input.GetRowCount() ?? 0, 1 << 20));
        List<DataViewSchema.Column> needed = [imageColumn, textColumn, typeColumn];
        if (labelColumn is { } labels) needed.Add(labels);
        using var cursor = input.GetRowCursor(needed);
        var image = ColumnReader.ImageGetter(cursor, imageColumn);
        var text = ColumnReader.TextGetter(cursor, textColumn);
        var type = ColumnReader.TextGetter(cursor, typeColumn);
        var label = labelColumn is { } column ? ColumnReader.TextGetter(cursor, column) : null;
        ImageReference imageValue = default;
        ReadOnlyMemory<char> textValue = default, typeValue = default, labelValue = default;
        while (cursor.MoveNext())
        {
            options.CancellationToken.ThrowIfCancellationRequested();
            image(ref imageValue);
            text(ref textValue);
            type(ref typeValue);
            label?.Invoke(ref labelValue);
            rows.Add(imageValue, textValue.Span, typeValue.Span, labelValue.Span);
        }
        return rows.Finish();
    }

    /// <summary>Checks that batches can be drawn and have something to contrast.</summary>
    /// <exception cref="ArgumentException">The batch size is larger than the rows that a batch is drawn from.</exception>
    /// <exception cref="InvalidDataException">All rows that a batch is drawn from have one class.</exception>
    public void CheckBatches(PrefixClipOptions options)
    {
        var perType = options.BatchComposition == BatchComposition.PerDatasetType;
        var available = perType ? RowCounts.Min() : Count;
        var orMixed = perType && Types.Count > 1 ? $", or set {nameof(options.BatchComposition)} to {nameof(BatchComposition.Mixed)}" : "";
        if (available < options.BatchSize)
        {
            var counts = string.Join(", ", Types.Select((t, i) => $"'{t.Name}' {RowCounts[i]}"));
            var remedy = available < 2 ? "Give more rows" : $"Set {nameof(options.BatchSize)} to at most {available}, give more rows";
            throw new ArgumentException(
                $"{OptionsName}.{nameof(options.BatchSize)} is {options.BatchSize}, but " +
                (perType ? $"a batch holds rows of one dataset type, and their row counts are {counts}."
                    : $"there are only {Count} rows.") +
                $" {remedy}{orMixed}.");
        }
        for (var type = 0; type < Types.Count; type++)
        {
            // Mixed batches contrast a single class with the rows of other types.
            if (Types[type].Texts != TextKind.ClassName || (!perType && Types.Count > 1)) continue;
            var first = Labels[Array.IndexOf(DatasetTypes, type)];
            if (Enumerable.Range(0, Count).Any(i => DatasetTypes[i] == type && Labels[i] != first)) continue;
            throw new InvalidDataException(
                $"All {RowCounts[type]} rows of the dataset type '{Types[type].Name}' have the class '{ClassNames[first]}': " +
                $"there is nothing to contrast. Give rows of at least two classes{orMixed}.");
        }
    }

    /// <summary>Takes rows one by one; equal texts and paths are kept once.</summary>
    private sealed class Collector(PrefixClipOptions options, int capacity)
    {
        private readonly List<ImageReference> _images = new(capacity);
        private readonly List<string> _texts = new(capacity);
        private readonly List<int> _types = new(capacity);   // index into the options' dataset types
        private readonly List<int> _labels = new(capacity);
        private readonly List<string> _classNames = [];
        private readonly Dictionary<string, int> _classes = new(StringComparer.Ordinal);
        private readonly Dictionary<string, string> _strings = new(StringComparer.Ordinal);
        private readonly Dictionary<string, int> _typeIndexes = options.DatasetTypes.Select((t, i) => (t.Name, i))
            .ToDictionary(p => p.Name, p => p.i, StringComparer.Ordinal);

        public void Add(ImageReference image, ReadOnlySpan<char> text, ReadOnlySpan<char> typeName, ReadOnlySpan<char> label)
        {
            if (!_typeIndexes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(typeName, out var type))
                throw UnknownType(typeName.ToString());
            if (image.IsMissing && options.BadImages == BadImagePolicy.Fail)
                throw Fault($"has no image in column '{options.ImageColumnName}'. " +
                    $"Give one, remove the row, or set {OptionsName}.{nameof(options.BadImages)} to {nameof(BadImagePolicy.Skip)}.");
            if (text.IsWhiteSpace())
                throw Fault($"({image.Name}, dataset type '{typeName}') has no text in column '{options.TextColumnName}'. " +
                    "Give a caption or class name, or remove the row.");
            var pooledText = Pooled(text);
            _images.Add(image.Locator is { Length: > 0 } locator ? ImageReference.FromLocator(Pooled(locator)) : image);
            _texts.Add(pooledText);
            _types.Add(type);
            _labels.Add(options.DatasetTypes[type].Texts == TextKind.Caption ? -1
                : ClassOf(label.IsWhiteSpace() ? pooledText : Pooled(label), pooledText));
        }

        public TaggedRows Finish()
        {
            if (_texts.Count == 0) throw new InvalidDataException("The input has no rows; there is nothing to learn from.");
            var used = new bool[options.DatasetTypes.Count];
            foreach (var type in _types) used[type] = true;
            var types = options.DatasetTypes.Where((_, i) => used[i]).ToArray();
            var newIndex = new int[used.Length];
            for (int i = 0, next = 0; i < used.Length; i++) newIndex[i] = used[i] ? next++ : -1;
            foreach (ref var type in CollectionsMarshal.AsSpan(_types)) type = newIndex[type];
            return new TaggedRows([.. _images], [.. _texts], [.. _types], [.. _labels], types, _classNames);
        }

        private int ClassOf(string identity, string text)
        {
            ref var label = ref CollectionsMarshal.GetValueRefOrAddDefault(_classes, identity, out var exists);
            if (exists) return label;
            label = _classNames.Count;
            _classNames.Add(text);
            return label;
        }

        private string Pooled(ReadOnlySpan<char> text)
        {
            var strings = _strings.GetAlternateLookup<ReadOnlySpan<char>>();
            if (strings.TryGetValue(text, out var pooled)) return pooled;
            pooled = text.ToString();
            _strings.Add(pooled, pooled);
            return pooled;
        }

        private InvalidDataException UnknownType(string name)
        {
            var known = options.DatasetTypes.Select(t => t.Name).ToArray();
            return Fault(string.IsNullOrWhiteSpace(name)
                ? $"has no dataset type in column '{options.DatasetTypeColumnName}'; the known ones are {NearName.List(known)}. " +
                    "TagDatasetType adds one to a whole view."
                : $"has the dataset type '{name}'; the known ones are {NearName.List(known)}.{NearName.Question(name, known)} Correct " +
                    $"the column, or add the type to {OptionsName}.{nameof(options.DatasetTypes)}.");
        }

        private InvalidDataException Fault(string what) => new($"Row {_texts.Count + 1} {what}");
    }
}
