using System.Globalization;
using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The training rows, read into memory once, column by column; images stay encoded.</summary>
internal sealed class TaggedRows
{
    /// <summary>The remedy that every error about a single row suggests.</summary>
    public const string SkipRemedy =
        $"To leave such rows out, set {nameof(PrefixClipOptions.BadRows)} to {nameof(BadRowPolicy.Skip)}.";

    private const string OptionsName = nameof(PrefixClipOptions);

    private readonly int _allowedBad;

    private TaggedRows(Collector rows, IReadOnlyList<DatasetType> types, int[] datasetTypes, double maxBadFraction)
    {
        (Images, Texts, Labels, Numbers) = ([.. rows.Images], [.. rows.Texts], [.. rows.Labels], [.. rows.Numbers]);
        (Types, DatasetTypes, ClassNames, BadCount, FirstFault) = (types, datasetTypes, rows.ClassNames, rows.BadCount, rows.FirstFault);
        var counts = new int[types.Count];
        foreach (var type in datasetTypes) counts[type]++;
        RowCounts = counts;
        _allowedBad = (int)(maxBadFraction * TotalCount);
        CheckBadCount(BadCount, FirstFault);
    }

    /// <summary>Number of rows, N.</summary>
    public int Count => Texts.Length;

    /// <summary>Number of input rows that were skipped because of a fault (<see cref="BadRowPolicy.Skip"/>).</summary>
    public int BadCount { get; }

    /// <summary>Number of input rows.</summary>
    public int TotalCount => Count + BadCount;

    /// <summary>The fault of the first skipped row; empty if there is none.</summary>
    public string FirstFault { get; }

    /// <summary>[N] positions of the rows in the input, from 1, for messages.</summary>
    public int[] Numbers { get; }

    /// <summary>[N] images.</summary>
    public ImageReference[] Images { get; }

    /// <summary>[N] captions or class names; equal texts share one string.</summary>
    public string[] Texts { get; }

    /// <summary>[N] indexes into <see cref="Types"/>.</summary>
    public int[] DatasetTypes { get; }

    /// <summary>[N] indexes into <see cref="ClassNames"/>; -1 for captions, which are each a class of their own.</summary>
    public int[] Labels { get; }

    /// <summary>The dataset types that have rows, in the options' order.</summary>
    public IReadOnlyList<DatasetType> Types { get; }

    /// <summary>Number of rows of each of <see cref="Types"/>.</summary>
    public IReadOnlyList<int> RowCounts { get; }

    /// <summary>By label: the text of the first row that has it.</summary>
    public IReadOnlyList<string> ClassNames { get; }

    /// <summary>Reads and checks every row.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of a wrong type.</exception>
    /// <exception cref="InvalidDataException">There are no rows, or a row (with <see cref="BadRowPolicy.Skip"/>, too many rows) has no
    /// text, no image or no known dataset type.</exception>
    public static TaggedRows Read(IDataView input, PrefixClipOptions options)
    {
        ArgumentNullException.ThrowIfNull(input);
        var (schema, columns) = (input.Schema, options.Columns);
        var imageColumn = ColumnReader.RequireImage(schema, columns.Image, $"{OptionsName}.Columns.Image");
        var textColumn = ColumnReader.RequireText(schema, columns.Text, $"{OptionsName}.Columns.Text");
        var typeColumn = ColumnReader.RequireTextOrKey(schema, columns.DatasetType,
            $"{OptionsName}.Columns.DatasetType (or add one with TagDatasetType)");
        DataViewSchema.Column? labelColumn = schema.GetColumnOrNull(columns.Label) is null ? null
            : ColumnReader.RequireTextOrKey(schema, columns.Label, $"{OptionsName}.Columns.Label");

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

    /// <summary>Checks that not more rows are bad than the options allow.</summary>
    /// <param name="count">Bad rows so far, those left out on reading included.</param>
    /// <param name="firstFault">What is wrong with one of them.</param>
    /// <exception cref="InvalidDataException">There are more.</exception>
    public void CheckBadCount(int count, string firstFault)
    {
        if (count > _allowedBad)
            throw new InvalidDataException(
                $"{count} of {TotalCount} rows cannot be used, more than {OptionsName}.{nameof(PrefixClipOptions.MaxBadRowFraction)} " +
                $"allows ({_allowedBad}). The first fault: {firstFault} Repair the rows, or raise the fraction.");
    }

    /// <summary>Rows per step: as set, or adapted to the rows.</summary>
    /// <returns>If not set, <see cref="PrefixClipOptions.DefaultBatchSize"/>, or fewer where a batch is drawn from fewer rows.</returns>
    /// <exception cref="ArgumentException">The batch size is larger than the rows that a batch is drawn from.</exception>
    /// <exception cref="InvalidDataException">All rows that a batch is drawn from have one class.</exception>
    public int BatchSize(PrefixClipOptions options)
    {
        var perType = options.BatchComposition == BatchComposition.PerDatasetType;
        var available = perType ? RowCounts.Min() : Count;
        var orMixed = perType && Types.Count > 1 ? $", or set {nameof(options.BatchComposition)} to {nameof(BatchComposition.Mixed)}" : "";
        var size = options.BatchSize ?? Math.Clamp(available, PrefixClipOptions.MinBatchSize, PrefixClipOptions.DefaultBatchSize);
        if (available < size)
        {
            var remedy = available < PrefixClipOptions.MinBatchSize ? "Give more rows"
                : $"Set {nameof(options.BatchSize)} to at most {available}, or leave it unset, give more rows";
            throw new ArgumentException(
                (options.BatchSize is null ? "A batch has at least 2 rows" : $"{OptionsName}.{nameof(options.BatchSize)} is {size}") +
                ", but " +
                (perType ? $"a batch holds rows of one dataset type, and their row counts are {DescribeTypes()}."
                    : $"there are only {Count} rows.") +
                $" {remedy}{orMixed}.");
        }
        CheckClasses(perType, orMixed);
        return size;
    }

    /// <summary>The dataset types with their row counts, for messages.</summary>
    public string DescribeTypes() =>
        string.Join(", ", Types.Select((t, i) => string.Create(CultureInfo.InvariantCulture, $"{NearName.Quoted(t.Name)} {RowCounts[i]}")));

    private void CheckClasses(bool perType, string orMixed)
    {
        for (var type = 0; type < Types.Count; type++)
        {
            // Mixed batches contrast a single class with the rows of other types.
            if (Types[type].Texts != TextKind.ClassName || (!perType && Types.Count > 1)) continue;
            var first = Labels[Array.IndexOf(DatasetTypes, type)];
            if (Enumerable.Range(0, Count).Any(i => DatasetTypes[i] == type && Labels[i] != first)) continue;
            throw new InvalidDataException(
                $"All {RowCounts[type]} rows of the dataset type {NearName.Quoted(Types[type].Name)} have the class " +
                $"{NearName.Quoted(ClassNames[first])}: there is nothing to contrast. Give rows of at least two classes{orMixed}.");
        }
    }

    /// <summary>Takes rows one by one; equal texts and paths are kept once.</summary>
    private sealed class Collector(PrefixClipOptions options, int capacity)
    {
        public readonly List<ImageReference> Images = new(capacity);
        public readonly List<string> Texts = new(capacity);
        public readonly List<int> Labels = new(capacity);
        public readonly List<int> Numbers = new(capacity);
        public readonly List<string> ClassNames = [];
        private readonly List<int> _types = new(capacity);   // index into the options' dataset types
        private readonly Dictionary<string, int> _classes = new(StringComparer.Ordinal);
        private readonly Dictionary<string, string> _strings = new(StringComparer.Ordinal);
        private readonly Dictionary<string, int> _typeIndexes = options.DatasetTypes.Select((t, i) => (t.Name, i))
            .ToDictionary(p => p.Name, p => p.i, StringComparer.Ordinal);

        public int BadCount { get; private set; }

        public string FirstFault { get; private set; } = "";

        public void Add(ImageReference image, ReadOnlySpan<char> text, ReadOnlySpan<char> typeName, ReadOnlySpan<char> label)
        {
            if (!_typeIndexes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(typeName, out var type) || image.IsMissing
                || text.IsWhiteSpace() || ImageLocator.RemoteReason(image.Locator ?? "") is not null)
            {
                var name = image.IsMissing ? "" : $" ({image.Name})";
                LeaveOut($"Row {Texts.Count + BadCount + 1}{name} {Fault(image, text.IsWhiteSpace(), typeName.ToString())}");
                return;
            }
            var pooledText = Pooled(text);
            Images.Add(image.Locator is { Length: > 0 } locator ? ImageReference.FromLocator(Pooled(locator)) : image);
            Texts.Add(pooledText);
            Numbers.Add(Texts.Count + BadCount);
            _types.Add(type);
            Labels.Add(options.DatasetTypes[type].Texts == TextKind.Caption ? -1
                : ClassOf(CanonicalComposition.Compose(label.IsWhiteSpace() ? pooledText : Pooled(label)), pooledText));
        }

        public TaggedRows Finish()
        {
            if (Texts.Count == 0)
                throw new InvalidDataException(BadCount == 0 ? "The input has no rows; there is nothing to learn from."
                    : $"None of the {BadCount} rows can be used. The first fault: {FirstFault}");
            var used = new bool[options.DatasetTypes.Count];
            foreach (var type in _types) used[type] = true;
            var types = options.DatasetTypes.Where((_, i) => used[i]).ToArray();
            var newIndex = new int[used.Length];
            for (int i = 0, next = 0; i < used.Length; i++) newIndex[i] = used[i] ? next++ : -1;
            return new TaggedRows(this, types, [.. _types.Select(t => newIndex[t])], options.MaxBadRowFraction);
        }

        private void LeaveOut(string fault)
        {
            if (options.BadRows == BadRowPolicy.Fail) throw new InvalidDataException($"{fault} {SkipRemedy}");
            if (BadCount++ == 0) FirstFault = fault;
        }

        private string Fault(ImageReference image, bool hasNoText, string typeName)
        {
            var known = options.DatasetTypes.Select(t => t.Name).ToArray();
            if (string.IsNullOrWhiteSpace(typeName))
                return $"has no dataset type in column '{options.Columns.DatasetType}'; the known ones are {NearName.List(known)}. " +
                    "TagDatasetType adds one to a whole view.";
            if (!_typeIndexes.ContainsKey(typeName))
                return $"has the dataset type {NearName.Quoted(typeName)}; the known ones are {NearName.List(known)}." +
                    $"{NearName.Question(typeName, known)} Correct the column, or add the type to " +
                    $"{OptionsName}.{nameof(options.DatasetTypes)}.";
            if (image.IsMissing) return $"has no image in column '{options.Columns.Image}'. Give one, or remove the row.";
            if (hasNoText) return $"has no text in column '{options.Columns.Text}'. Give a caption or class name, or remove the row.";
            return $"has an image that is not on this machine. {ImageLocator.RemoteReason(image.Locator!)}";
        }

        private int ClassOf(string identity, string text)
        {
            ref var label = ref CollectionsMarshal.GetValueRefOrAddDefault(_classes, identity, out var exists);
            if (exists) return label;
            label = ClassNames.Count;
            ClassNames.Add(text);
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
    }
}
