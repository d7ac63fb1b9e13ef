using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What a scoring transformer does with one input schema: which columns it reads, which it adds, and how.</summary>
/// <remarks>One object serves cursors (in batches) and single rows (for prediction engines) of many threads.</remarks>
internal abstract class ScoringMapper : IRowToRowMapper
{
    private readonly DataViewSchema.DetachedColumn[] _added;

    protected ScoringMapper(DataViewSchema input, IReadOnlyList<DataViewSchema.DetachedColumn> added)
    {
        InputSchema = input;
        _added = [.. added];
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(input);
        foreach (var column in added) builder.AddColumn(column.Name, column.Type, column.Annotations);
        OutputSchema = builder.ToSchema();
    }

    public DataViewSchema InputSchema { get; }

    public DataViewSchema OutputSchema { get; }

    /// <summary>Number of added columns; they follow the input's.</summary>
    public int AddedCount => _added.Length;

    /// <summary>Runs the network; null where the input already has embeddings.</summary>
    public abstract EmbeddingEncoder? Encoder { get; }

    /// <summary>The column that images are encoded from.</summary>
    public abstract DataViewSchema.Column ImageColumn { get; }

    /// <summary>The column that texts are encoded from, where there is one.</summary>
    public virtual DataViewSchema.Column? TextColumn => null;

    /// <summary>Whether images or texts are encoded from this column.</summary>
    public bool IsEncoded(DataViewSchema.Column column) => column.Index == ImageColumn.Index || column.Index == TextColumn?.Index;

    /// <summary>Whether an added column needs the image's embedding.</summary>
    public abstract bool NeedsImage(int added);

    /// <summary>Whether an added column needs the text's embedding.</summary>
    public virtual bool NeedsText(int added) => false;

    /// <summary>The input columns that an added column is computed from.</summary>
    public abstract IEnumerable<DataViewSchema.Column> Dependencies(int added);

    /// <summary>A getter for an added column.</summary>
    /// <param name="added">Which one, from 0.</param>
    /// <param name="row">The row's own columns.</param>
    /// <param name="encoded">The row's embeddings.</param>
    public abstract Delegate CreateGetter(int added, DataViewRow row, EncodedRow encoded);

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
    {
        var needed = new SortedSet<int>();
        foreach (var column in dependingColumns)
            if (column.Index < InputSchema.Count) needed.Add(column.Index);
            else needed.UnionWith(Dependencies(column.Index - InputSchema.Count).Select(c => c.Index));
        return needed.Select(i => InputSchema[i]);
    }

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns) =>
        new ScoringRow(this, input, activeColumns);

    /// <summary>The embeddings of single rows, computed when asked for.</summary>
    public EncodedRow EncodeOnDemand(DataViewRow input) => new OnDemandEncodedRow(this, input);

    /// <summary>One row at a time: for prediction engines, and where embeddings are read rather than computed.</summary>
    private sealed class OnDemandEncodedRow(ScoringMapper mapper, DataViewRow input) : EncodedRow
    {
        private readonly ValueGetter<ImageReference>? _imageGetter = mapper.Encoder is not null && input.IsColumnActive(mapper.ImageColumn)
            ? ColumnReader.ImageGetter(input, mapper.ImageColumn) : null;
        private readonly ValueGetter<ReadOnlyMemory<char>>? _textGetter = mapper.TextColumn is { } text && input.IsColumnActive(text)
            ? ColumnReader.TextGetter(input, text) : null;
        private readonly ValueGetter<VBuffer<float>>? _embeddingGetter = mapper.Encoder is null && input.IsColumnActive(mapper.ImageColumn)
            ? input.GetGetter<VBuffer<float>>(mapper.ImageColumn) : null;
        private VBuffer<float> _embedding;
        private float[] _image = [], _text = [];
        private long _imagePosition = -1, _textPosition = -1;

        public override ReadOnlySpan<float> ImageEmbedding
        {
            get
            {
                if (_imagePosition == input.Position && _imagePosition >= 0) return _image;
                if (_embeddingGetter is not null)
                {
                    _embeddingGetter(ref _embedding);
                    _image = [.. _embedding.DenseValues()];
                }
                else
                {
                    ImageReference image = default;
                    _imageGetter!(ref image);
                    _image = mapper.Encoder!.Encode(mapper.Encoder.Prepare(new[] { image }, input.Position));
                }
                _imagePosition = input.Position;
                return _image;
            }
        }

        public override ReadOnlySpan<float> TextEmbedding
        {
            get
            {
                if (_textPosition == input.Position && _textPosition >= 0) return _text;
                ReadOnlyMemory<char> text = default;
                _textGetter!(ref text);
                _text = mapper.Encoder!.Encode([text.ToString()]);
                _textPosition = input.Position;
                return _text;
            }
        }
    }
}
