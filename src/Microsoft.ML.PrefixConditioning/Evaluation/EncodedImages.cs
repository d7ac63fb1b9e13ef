using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The embeddings of a view's images, read and encoded once, and their labels if requested.</summary>
internal sealed class EncodedImages
{
    private const ulong SamplePurpose = 13;

    private readonly TrainedModel _model;
    private readonly ImageRequest _request;
    private readonly List<float[]>[] _embeddings;   // by image prefix
    private readonly EmbeddingEncoder[] _encoders;

    private EncodedImages(TrainedModel model, ImageRequest request)
    {
        (_model, _request) = (model, request);
        _encoders = [.. request.ImagePrefixes.Select(p => new EmbeddingEncoder(model, p))];
        _embeddings = [.. _encoders.Select(_ => new List<float[]>())];
    }

    /// <summary>N, the number of readable images; with labels requested, only those that have one.</summary>
    public int Count => _embeddings[0].Count;

    /// <summary>[N] labels; empty if not requested.</summary>
    public List<string> Labels { get; } = [];

    /// <summary>[N] numbers of the images' rows, counted from 1.</summary>
    public List<long> RowNumbers { get; } = [];

    /// <summary>Number of rows that were read.</summary>
    public long Rows { get; private set; }

    /// <summary>Number of rows without a label, if labels are requested.</summary>
    public long MissingLabels { get; private set; }

    /// <summary>Number of rows with a label, if requested, but an unreadable image.</summary>
    public long UnreadableImages { get; private set; }

    /// <summary>[N] embeddings of length D.</summary>
    /// <param name="imagePrefix">One of the request's.</param>
    public IReadOnlyList<float[]> Embeddings(PrefixSelection imagePrefix) =>
        _embeddings[_request.ImagePrefixes.ToList().IndexOf(imagePrefix)];

    /// <summary>Reads the view's images, or embeddings from the same model.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">A label is none of the classes, or an image cannot be read and the policy is to
    /// fail.</exception>
    public static EncodedImages Read(TrainedModel model, IDataView view, ImageRequest request)
    {
        var image = ZeroShotColumns.RequireImage(view.Schema, request.ImageColumnName, model.Settings.Architecture.EmbeddingSize);
        List<DataViewSchema.Column> columns = [image];
        DataViewSchema.Column? label = request.LabelColumnName is not { } name ? null
            : ColumnReader.RequireTextOrKey(view.Schema, name, nameof(ZeroShotClassificationOptions.LabelColumnName));
        if (label is { } found) columns.Add(found);
        var images = new EncodedImages(model, request);
        var total = request.MaxRows == long.MaxValue ? 0 : view.GetRowCount() ?? CountRows(view);
        using var cursor = view.GetRowCursor(columns);
        var labelGetter = label is { } column ? ColumnReader.TextGetter(cursor, column) : null;
        if (ColumnReader.IsImageColumn(image.Type)) images.ReadImages(cursor, ColumnReader.ImageGetter(cursor, image), labelGetter, total);
        else images.ReadEmbeddings(cursor, cursor.GetGetter<VBuffer<float>>(image), labelGetter, total);
        return images;
    }

    /// <summary>Reads the rows that have a label and a readable image, whatever the model's policy.</summary>
    /// <exception cref="InvalidDataException">A label is none of the classes, or no row has both.</exception>
    /// <inheritdoc cref="Read" path="/exception"/>
    public static EncodedImages ReadLabeled(TrainedModel model, IDataView view, ZeroShotClassificationOptions options, ClassKeys classes,
        IReadOnlyList<PrefixSelection> imagePrefixes)
    {
        var images = Read(model, view, new ImageRequest
        {
            ImageColumnName = options.ImageColumnName ?? model.Settings.ImageColumnName,
            LabelColumnName = options.LabelColumnName,
            Classes = classes,
            ImagePrefixes = imagePrefixes,
            BadRows = BadRowPolicy.Skip,
        });
        return images.Count > 0 ? images : throw new InvalidDataException(
            $"No row can be scored: of {images.Rows} rows {images.MissingLabels} have no label in column '{options.LabelColumnName}' " +
            $"and {images.UnreadableImages} have an unreadable image. Pass rows that have both.");
    }

    private void ReadImages(
        DataViewRowCursor cursor, ValueGetter<ImageReference> getter, ValueGetter<ReadOnlyMemory<char>>? labelGetter, long total)
    {
        var pass = new List<(ImageReference Image, string Label, long Row)>();
        long bytes = 0;
        foreach (var row in ChosenRows(cursor, total))
        {
            if (ReadLabel(labelGetter, row) is not { } label) continue;
            ImageReference image = default;
            getter(ref image);
            pass.Add((image, label, row));
            bytes += image.Encoded?.Length ?? image.Pixels?.Length ?? 0;
            if (pass.Count < _encoders[0].ImagesPerPass && bytes < RowBatchReader.MaxImageBytes) continue;
            Encode(pass);
            pass.Clear();
            bytes = 0;
        }
        Encode(pass);
    }

    private void ReadEmbeddings(
        DataViewRowCursor cursor, ValueGetter<VBuffer<float>> getter, ValueGetter<ReadOnlyMemory<char>>? labelGetter, long total)
    {
        foreach (var prefix in _request.ImagePrefixes)
            ZeroShotColumns.RequireSameImagePrefix(_request.ImageColumnName, prefix, _model.Settings);
        VBuffer<float> value = default;
        foreach (var row in ChosenRows(cursor, total))
        {
            if (ReadLabel(labelGetter, row) is not { } label) continue;
            getter(ref value);
            float[] embedding = [.. value.DenseValues()];
            if (Array.TrueForAll(embedding, float.IsFinite)) Add(label, row, _ => embedding);
            else UnreadableImages++;   // what the model gives for an image that it could not read
        }
    }

    /// <summary>The rows to read, counted from 1: all of them, or a sample of a large view that is the same every time.</summary>
    /// <remarks>
    /// Source: Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2 S. The first rows would not do, because a view may be
    /// sorted by class.
    /// </remarks>
    private IEnumerable<long> ChosenRows(DataViewRowCursor cursor, long total)
    {
        var random = SeededRandom.Derive(0, SamplePurpose);
        var left = _request.MaxRows;
        for (var row = 1L; left > 0 && cursor.MoveNext(); row++)
        {
            var remaining = total - row + 1;
            if (left < remaining && random.NextDouble() * remaining >= left) continue;
            left--;
            Rows++;
            yield return row;
        }
    }

    private static long CountRows(IDataView view)
    {
        using var cursor = view.GetRowCursor([]);
        var count = 0L;
        while (cursor.MoveNext()) count++;
        return count;
    }

    /// <summary>The row's label; empty if not requested, null if missing.</summary>
    private string? ReadLabel(ValueGetter<ReadOnlyMemory<char>>? getter, long row)
    {
        if (getter is null) return "";
        ReadOnlyMemory<char> text = default;
        getter(ref text);
        if (text.Span.IsWhiteSpace())
        {
            MissingLabels++;
            return null;
        }
        var label = text.ToString();
        return _request.Classes is not { } classes || classes.Find(label) > 0 ? label : throw new InvalidDataException(
            $"{RowBatchReader.RowName(row)}: the label {NearName.Quoted(label)} in column '{_request.LabelColumnName}' is not among the " +
            $"class names {NearName.List(classes.Names)}.{NearName.Question(label, classes.Names)} Add it to them, " +
            "correct it, or remove the row.");
    }

    private void Encode(List<(ImageReference Image, string Label, long Row)> pass)
    {
        if (pass.Count == 0) return;
        ImageReference[] images = [.. pass.Select(p => p.Image)];
        string Place(int i) => RowBatchReader.RowName(pass[i].Row);
        var prepared = _encoders.Select(encoder => encoder.Prepare(images, Place)).ToArray();
        for (var i = 0; i < pass.Count; i++)
        {
            var place = i;
            if (_request.BadRows == BadRowPolicy.Skip && !prepared[0].IsReadable(i)) UnreadableImages++;
            else Add(pass[i].Label, pass[i].Row, prefix => prepared[prefix].Embedding(place).ToArray());
        }
    }

    private void Add(string label, long row, Func<int, float[]> embedding)
    {
        for (var prefix = 0; prefix < _embeddings.Length; prefix++) _embeddings[prefix].Add(embedding(prefix));
        RowNumbers.Add(row);
        if (_request.LabelColumnName is not null) Labels.Add(label);
    }
}

/// <summary>What to read from a view.</summary>
internal sealed record ImageRequest
{
    /// <summary>Column with images, or with embeddings of the model.</summary>
    public required string ImageColumnName { get; init; }

    /// <summary>The prefixes to encode images with, all different.</summary>
    public required IReadOnlyList<PrefixSelection> ImagePrefixes { get; init; }

    /// <summary>Whether an unreadable image is an error.</summary>
    public required BadRowPolicy BadRows { get; init; }

    /// <summary>Column with labels; null if not requested.</summary>
    public string? LabelColumnName { get; init; }

    /// <summary>The classes that labels may name; null if labels are not requested, or may be any text.</summary>
    public ClassKeys? Classes { get; init; }

    /// <summary>Maximum number of rows to read.</summary>
    public long MaxRows { get; init; } = long.MaxValue;
}
