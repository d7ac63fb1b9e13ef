using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The training rows, read into memory once, column by column; images stay encoded.</summary>
internal sealed class TaggedRows
{
    /// <summary>The remedy that every error about a single row suggests.</summary>
    public const string SkipRemedy =
        $"To leave such rows out, set {nameof(PrefixClipOptions.BadRows)} to {nameof(BadRowPolicy.Skip)}.";

    private const int MostExpected = 1 << 24;   // rows that a view may announce before memory is taken for them

    private const string OptionsName = nameof(PrefixClipOptions);

    private readonly int _allowedBad;
    private readonly IReadOnlyList<int> _skipped;   // numbers of the skipped input rows, ascending

    private TaggedRows(Collector rows, IReadOnlyList<DatasetType> types, byte[] datasetTypes, double maxBadFraction)
    {
        (Images, Texts, Labels, _skipped) = (rows.Images(), rows.Texts(), [.. rows.Labels], rows.Skipped);
        Weights = rows.Weights();
        (Types, DatasetTypes, ClassNames, FirstFault) = (types, datasetTypes, rows.ClassNames, rows.FirstFault);
        var counts = new int[types.Count];
        foreach (var type in datasetTypes) counts[type]++;
        RowCounts = counts;
        _allowedBad = (int)(maxBadFraction * TotalCount);
        CheckBadCount(BadCount, FirstFault);
    }

    /// <summary>Number of rows, N.</summary>
    public int Count => DatasetTypes.Length;

    /// <summary>Number of input rows that were skipped because of a fault (<see cref="BadRowPolicy.Skip"/>).</summary>
    public int BadCount => _skipped.Count;

    /// <summary>Number of input rows.</summary>
    public int TotalCount => Count + BadCount;

    /// <summary>The fault of the first skipped row; empty if there is none.</summary>
    public string FirstFault { get; }

    /// <summary>What the sources of the view left out before; null for nothing.</summary>
    public LeftOutRows? LeftOutBySources { get; private set; }

    /// <summary>[N] images.</summary>
    public ImageColumn Images { get; }

    /// <summary>[N] captions or class names.</summary>
    public TextColumn Texts { get; }

    /// <summary>[N] indexes into <see cref="Types"/>.</summary>
    public byte[] DatasetTypes { get; }

    /// <summary>[N] indexes into <see cref="ClassNames"/>; -1 for captions, which are each a class of their own.</summary>
    public int[] Labels { get; }

    /// <summary>How often each row is drawn; null if all rows weigh the same.</summary>
    public RowWeights? Weights { get; }

    /// <summary>The dataset types that have rows, in the options' order.</summary>
    public IReadOnlyList<DatasetType> Types { get; }

    /// <summary>Number of rows of each of <see cref="Types"/>.</summary>
    public IReadOnlyList<int> RowCounts { get; }

    /// <summary>By label: the text of the first row that has it.</summary>
    public IReadOnlyList<string> ClassNames { get; }

    /// <summary>Reads and checks every row.</summary>
    /// <param name="input">The rows.</param>
    /// <param name="options">Their columns, and what cancels the reading.</param>
    /// <param name="environment">Logs how many rows are read; null for no log.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of a wrong type.</exception>
    /// <exception cref="InvalidDataException">There are no rows, or a row (with <see cref="BadRowPolicy.Skip"/>, too many rows) has no
    /// text, no image or no known dataset type.</exception>
    public static TaggedRows Read(IDataView input, PrefixClipOptions options, IHostEnvironment? environment = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        var (schema, columns) = (input.Schema, options.Columns);
        var imageColumn = ColumnReader.RequireImage(schema, columns.Image, $"{OptionsName}.Columns.Image");
        var textColumn = ColumnReader.RequireText(schema, columns.Text, $"{OptionsName}.Columns.Text");
        var typeColumn = ColumnReader.RequireTextOrKey(schema, columns.DatasetType,
            $"{OptionsName}.Columns.DatasetType (or add one with TagDatasetType)");
        DataViewSchema.Column? labelColumn = schema.GetColumnOrNull(columns.Label) is null ? null
            : ColumnReader.RequireTextOrKey(schema, columns.Label, $"{OptionsName}.Columns.Label");
        var weightColumn = ColumnReader.OptionalWeight(schema, columns.Weight, $"{OptionsName}.Columns.Weight");

        var rows = new Collector(options, (int)Math.Min(input.GetRowCount() ?? 0, MostExpected));
        List<DataViewSchema.Column> needed = [imageColumn, textColumn, typeColumn];
        if (labelColumn is { } labels) needed.Add(labels);
        if (weightColumn is { } weights) needed.Add(weights);
        using var cursor = input.GetRowCursor(needed);
        var image = ColumnReader.ImageGetter(cursor, imageColumn);
        var text = ColumnReader.TextGetter(cursor, textColumn);
        var type = ColumnReader.TextGetter(cursor, typeColumn);
        var label = labelColumn is { } column ? ColumnReader.TextGetter(cursor, column) : null;
        var weight = weightColumn is { } number ? cursor.GetGetter<float>(number) : null;
        var weightValue = 1f;
        ImageReference imageValue = default;
        ReadOnlyMemory<char> textValue = default, typeValue = default, labelValue = default;
        using var phase = environment is null ? null : new LongPhase(environment, "Reading rows", "rows");
        while (cursor.MoveNext())
        {
            options.CancellationToken.ThrowIfCancellationRequested();
            phase?.Advance();
            image(ref imageValue);
            text(ref textValue);
            type(ref typeValue);
            label?.Invoke(ref labelValue);
            weight?.Invoke(ref weightValue);
            rows.Add(imageValue, textValue.Span, typeValue.Span, labelValue.Span, weightValue);
        }
        var read = rows.Finish();
        read.LeftOutBySources = LeftOutRows.Of(imageColumn);
        return read;
    }

    /// <summary>Position of a row in the input, from 1, for messages.</summary>
    public int NumberOf(int row)
    {
        var (low, high) = (0, _skipped.Count);   // skipped rows before this one
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_skipped[middle] - 1 - middle <= row) low = middle + 1;
            else high = middle;
        }
        return row + low + 1;
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
            var first = Labels[Array.IndexOf(DatasetTypes, (byte)type)];
            if (Enumerable.Range(0, Count).Any(i => DatasetTypes[i] == type && Labels[i] != first)) continue;
            throw new InvalidDataException(
                $"All {RowCounts[type]} rows of the dataset type {NearName.Quoted(Types[type].Name)} have the class " +
                $"{NearName.Quoted(ClassNames[first])}: there is nothing to contrast. Give rows of at least two classes{orMixed}.");
        }
    }

    /// <summary>Takes rows one by one; equal texts and paths are kept once.</summary>
    private sealed class Collector
    {
        public readonly List<int> Labels;
        public readonly List<int> Skipped = [];
        public readonly List<string> ClassNames = [];
        private readonly PrefixClipOptions _options;
        private readonly TextPool _pool = new();
        private readonly LocatorPool _locators;
        private readonly List<int> _images, _texts;   // numbers in the pools
        private readonly List<byte> _types;           // indexes into the options' dataset types
        private readonly List<byte> _weights = [];    // indexes into the distinct weights; empty as long as there is one
        private readonly List<float> _weightValues = [];
        private readonly List<ImageReference> _inMemory = [];
        private readonly Dictionary<string, int> _classes = new(StringComparer.Ordinal);
        private readonly Dictionary<string, int> _labels = new(StringComparer.Ordinal);   // as they are written
        private readonly Dictionary<string, int> _typeIndexes;

        public Collector(PrefixClipOptions options, int capacity)
        {
            _options = options;
            _locators = new LocatorPool(_pool);
            (Labels, _images, _texts, _types) = (new(capacity), new(capacity), new(capacity), new(capacity));
            _typeIndexes = options.DatasetTypes.Select((t, i) => (t.Name, i)).ToDictionary(p => p.Name, p => p.i, StringComparer.Ordinal);
        }

        public string FirstFault { get; private set; } = "";

        public ImageColumn Images() => new(_locators, [.. _images], _inMemory);

        public TextColumn Texts() => new(_pool, [.. _texts]);

        public RowWeights? Weights() => _weightValues.Count < 2 ? null : new([.. _weights], _weightValues);

        public void Add(ImageReference image, ReadOnlySpan<char> text, ReadOnlySpan<char> typeName, ReadOnlySpan<char> label,
            float weight)
        {
            if (!_typeIndexes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(typeName, out var type) || image.IsMissing
                || text.IsWhiteSpace() || ImageLocator.RemoteReason(image.Locator ?? "") is not null || !RowWeights.IsValid(weight))
            {
                var name = image.IsMissing ? "" : $" ({image.Name})";
                LeaveOut($"Row {_types.Count + Skipped.Count + 1}{name} {Fault(image, text.IsWhiteSpace(), typeName.ToString(), weight)}");
                return;
            }
            _images.Add(image.Locator is { Length: > 0 } locator ? _locators.Add(locator) : -1 - _inMemory.Count);
            if (_images[^1] < 0) _inMemory.Add(image);
            _texts.Add(_pool.Add(text));
            AddWeight(weight);
            _types.Add((byte)type);
            Labels.Add(_options.DatasetTypes[type].Texts == TextKind.Caption ? -1 : ClassOf(label.IsWhiteSpace() ? text : label, text));
        }

        public TaggedRows Finish()
        {
            if (_types.Count == 0)
                throw new InvalidDataException(Skipped.Count == 0 ? "The input has no rows; there is nothing to learn from."
                    : $"None of the {Skipped.Count} rows can be used. The first fault: {FirstFault}");
            var used = new bool[_options.DatasetTypes.Count];
            foreach (var type in _types) used[type] = true;
            var types = _options.DatasetTypes.Where((_, i) => used[i]).ToArray();
            var newIndex = new int[used.Length];
            for (int i = 0, next = 0; i < used.Length; i++) newIndex[i] = used[i] ? next++ : -1;
            _pool.Complete();
            return new TaggedRows(this, types, [.. _types.Select(t => (byte)newIndex[t])], _options.MaxBadRowFraction);
        }

        private void AddWeight(float weight)
        {
            var index = _weightValues.IndexOf(weight);
            if (index < 0)
            {
                if (_weightValues.Count == RowWeights.MostValues)
                    throw new InvalidDataException($"Row {_types.Count + Skipped.Count + 1} has one more weight than the " +
                        $"{RowWeights.MostValues} different ones that are possible. Round column '{_options.Columns.Weight}'.");
                index = _weightValues.Count;
                _weightValues.Add(weight);
                if (index == 1) _weights.AddRange(Enumerable.Repeat((byte)0, _types.Count));
            }
            if (_weightValues.Count > 1) _weights.Add((byte)index);
        }

        private void LeaveOut(string fault)
        {
            if (_options.BadRows == BadRowPolicy.Fail) throw new InvalidDataException($"{fault} {SkipRemedy}");
            if (Skipped.Count == 0) FirstFault = fault;
            Skipped.Add(_types.Count + Skipped.Count + 1);
        }

        private string Fault(ImageReference image, bool hasNoText, string typeName, float weight)
        {
            var known = _options.DatasetTypes.Select(t => t.Name).ToArray();
            if (string.IsNullOrWhiteSpace(typeName))
                return $"has no dataset type in column '{_options.Columns.DatasetType}'; the known ones are {NearName.List(known)}. " +
                    "TagDatasetType adds one to a whole view.";
            if (!_typeIndexes.ContainsKey(typeName))
                return $"has the dataset type {NearName.Quoted(typeName)}; the known ones are {NearName.List(known)}." +
                    $"{NearName.Question(typeName, known)} Correct the column, or add the type to " +
                    $"{OptionsName}.{nameof(_options.DatasetTypes)}.";
            if (image.IsMissing) return $"has no image in column '{_options.Columns.Image}'. Give one, or remove the row.";
            if (hasNoText) return $"has no text in column '{_options.Columns.Text}'. Give a caption or class name, or remove the row.";
            if (!RowWeights.IsValid(weight))
                return string.Create(CultureInfo.InvariantCulture,
                    $"has the weight {weight} in column '{_options.Columns.Weight}'; it must be a finite number greater than 0.");
            return $"has an image that is not on this machine. {ImageLocator.RemoteReason(image.Locator!)}";
        }

        private int ClassOf(ReadOnlySpan<char> written, ReadOnlySpan<char> text)
        {
            if (_labels.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(written, out var known)) return known;
            var name = written.ToString();
            ref var label = ref CollectionsMarshal.GetValueRefOrAddDefault(_classes, CanonicalComposition.Compose(name), out var exists);
            if (!exists)
            {
                label = ClassNames.Count;
                ClassNames.Add(text.ToString());
            }
            _labels.Add(name, label);
            return label;
        }
    }
}
