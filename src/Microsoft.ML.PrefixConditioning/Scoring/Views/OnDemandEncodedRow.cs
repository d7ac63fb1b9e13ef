using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The embeddings of single rows, computed on demand: for prediction engines, and if embeddings are read instead of
/// computed.</summary>
internal sealed class OnDemandEncodedRow : EncodedRow
{
    private readonly EmbeddingEncoder? _encoder;
    private readonly DataViewRow _input;
    private readonly ValueGetter<ImageReference>? _imageGetter;
    private readonly ValueGetter<ReadOnlyMemory<char>>? _textGetter;
    private readonly ValueGetter<VBuffer<float>>? _embeddingGetter;
    private VBuffer<float> _embedding;
    private float[] _image = [], _text = [];
    private long _imagePosition = -1, _textPosition = -1;

    public OnDemandEncodedRow(ScoringMapper mapper, DataViewRow input)
    {
        (_encoder, _input) = (mapper.Encoder, input);
        if (mapper.ImageColumn is { } image && input.IsColumnActive(image))
        {
            if (_encoder is null) _embeddingGetter = input.GetGetter<VBuffer<float>>(image);
            else _imageGetter = ColumnReader.ImageGetter(input, image);
        }
        if (mapper.TextColumn is { } text && input.IsColumnActive(text)) _textGetter = ColumnReader.TextGetter(input, text);
    }

    public override ReadOnlySpan<float> ImageEmbedding
    {
        get
        {
            // As in ML.NET's own transforms, several getters of one row share what was computed; the position tells rows apart.
            if (_imagePosition == _input.Position && _imagePosition >= 0) return _image;
            _image = _embeddingGetter is null ? EncodeImage() : ReadEmbedding(_embeddingGetter);
            _imagePosition = _input.Position;
            return _image;
        }
    }

    public override ReadOnlySpan<float> TextEmbedding
    {
        get
        {
            if (_textPosition == _input.Position && _textPosition >= 0) return _text;
            ReadOnlyMemory<char> text = default;
            _textGetter!(ref text);
            _text = _encoder!.Encode([text.ToString()]);
            _textPosition = _input.Position;
            return _text;
        }
    }

    private float[] EncodeImage()
    {
        ImageReference image = default;
        _imageGetter!(ref image);
        return _encoder!.Prepare(new[] { image }, _ => RowBatchReader.RowName(_input.Position + 1)).Embedding(0).ToArray();
    }

    private float[] ReadEmbedding(ValueGetter<VBuffer<float>> getter)
    {
        getter(ref _embedding);
        var values = _image.Length == _embedding.Length ? _image : new float[_embedding.Length];
        _embedding.CopyTo(values);
        return values;
    }
}
