using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>An index of images or texts that finds the nearest to an image, a text or any embedding, by exact comparison.</summary>
/// <remarks>
/// <para>A score is the cosine similarity of two embeddings, -1 to 1. Use one index for images and another for texts: texts are much nearer
/// to each other than to images. The index takes 4 D bytes per item, with D the model's embedding size, and its key.</para>
/// <para>Safe for use from many threads; a search does not wait for items that are being added, and does not see them. The index does not
/// own the model; do not dispose the model while the index is used.</para>
/// </remarks>
/// <example>
/// <code>
/// var index = new ClipSearchIndex(model);
/// index.AddImages(photos);   // a view with the paths of images
/// foreach (SearchResult found in index.Search("a red apple on a table")) Console.WriteLine($"{found.Score:0.000} {found.Key}");
/// index.Save("photos.index");
/// </code>
/// </example>
public sealed class ClipSearchIndex
{
    private const int DefaultTop = 10;

    private readonly PrefixClipTransformer _model;
    private readonly Lazy<byte[]> _identity;
    private readonly Lock _adding = new();
    private readonly HashSet<string> _known;   // all keys; guarded by _adding
    private volatile Items _items;

    /// <summary>Creates an empty index.</summary>
    /// <param name="model">The model that encodes images, texts and queries.</param>
    public ClipSearchIndex(PrefixClipTransformer model) : this(model, file: null)
    {
    }

    private ClipSearchIndex(PrefixClipTransformer model, string? file)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _identity = new(() => ModelIdentity.Of(model.Trained));
        var size = model.Architecture.EmbeddingSize;
        var (rows, keys) = file is null ? (new EmbeddingRows(size), []) : SearchIndexFile.Read(file, size, () => _identity.Value);
        _items = new Items(rows, keys);
        _known = new(keys, StringComparer.Ordinal);
    }

    /// <summary>Number of images and texts in the index.</summary>
    public int Count => _items.Rows.Count;

    /// <summary>Loads an index.</summary>
    /// <param name="path">A file that <see cref="Save"/> wrote.</param>
    /// <param name="model">The model that the index was made with, in any precision, on any device.</param>
    /// <returns>The index.</returns>
    /// <exception cref="ArgumentException">The index was made with another model.</exception>
    /// <exception cref="InvalidDataException">The file is no index, truncated, damaged, or of a newer version.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static ClipSearchIndex Load(string path, PrefixClipTransformer model)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return new(model, path);
    }

    /// <summary>Saves the index with a hash that identifies its model; the model itself is saved elsewhere.</summary>
    /// <param name="path">The file, which is replaced as a whole if it exists.</param>
    /// <exception cref="IOException">The file cannot be written; an existing file is unchanged.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var items = _items;
        SearchIndexFile.Write(path, _identity.Value, items.Rows, items.Keys);
    }

    /// <summary>Adds a view's images.</summary>
    /// <param name="images">Rows with an image, in the same order in every pass. It is read twice: first its keys alone.</param>
    /// <param name="imageColumnName">Column of images (paths, encoded files or ML.NET images), or of embeddings from this model. Null means
    /// the model's image column.</param>
    /// <param name="keyColumnName">Column with each row's key: text, or key with text key values. Null means the path of the image.</param>
    /// <param name="cancellationToken">Stops between two rows. ML.NET's <c>CancelExecution</c> stops it, too.</param>
    /// <returns>Number of added images.</returns>
    /// <remarks>
    /// A key occurs once: rows whose key is in the index already are left out and not encoded. So a captioned image with several rows is
    /// added once, and a folder with new files can be added again. An image that is unreadable is an error or left out, as the model's
    /// policy says; ML.NET's log tells the numbers. After an error or a cancellation, the index is as before.
    /// </remarks>
    /// <exception cref="ArgumentException">The images have no paths and no key column is given.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">A key is empty, or an image is unreadable and the model's policy is to fail.</exception>
    /// <exception cref="OperationCanceledException">The token or the environment was canceled.</exception>
    public int AddImages(
        IDataView images, string? imageColumnName = null, string? keyColumnName = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        var (name, size) = (imageColumnName ?? _model.Trained.Settings.ImageColumnName, _model.Architecture.EmbeddingSize);
        var column = ZeroShotColumns.RequireImage(images.Schema, name, size, nameof(imageColumnName));
        if (keyColumnName is null && column.Type is not TextDataViewType)
            throw new ArgumentException($"Column '{name}' is {column.Type} and has no paths; set {nameof(keyColumnName)} to a column " +
                "with a key for each image.", nameof(keyColumnName));
        return Add(images, column, EmbeddedContent.Image, keyColumnName ?? name, prefix: null, cancellationToken);
    }

    /// <summary>Adds a view's texts, to be found by images or by texts.</summary>
    /// <param name="texts">Rows with a text, in the same order in every pass. It is read twice: first its keys alone.</param>
    /// <param name="textColumnName">Column of texts, or key with text key values. Null means the model's text column.</param>
    /// <param name="keyColumnName">Column with each row's key: text, or key with text key values. Null means the text.</param>
    /// <param name="prefix">The prefix of all texts; null means the caption prefix.</param>
    /// <param name="cancellationToken"><inheritdoc cref="AddImages" path="/param[@name='cancellationToken']"/></param>
    /// <returns>Number of added texts.</returns>
    /// <remarks>A key occurs once: rows whose key is in the index already are left out. After an error or a cancellation, the index is as
    /// before.</remarks>
    /// <exception cref="ArgumentException">The prefix names a type that the model was not trained on.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">A key is empty.</exception>
    /// <exception cref="OperationCanceledException">The token or the environment was canceled.</exception>
    public int AddTexts(IDataView texts, string? textColumnName = null, string? keyColumnName = null, PrefixSelection? prefix = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        PrefixResolution.Resolve(prefix, _model.DatasetTypes);
        var name = textColumnName ?? _model.Trained.Settings.TextColumnName;
        var column = ColumnReader.RequireTextOrKey(texts.Schema, name, nameof(textColumnName));
        return Add(texts, column, EmbeddedContent.Text, keyColumnName ?? name, prefix, cancellationToken);
    }

    /// <summary>Finds what is nearest to a text.</summary>
    /// <param name="text">The text, such as "a red apple on a table".</param>
    /// <param name="top">Number of results, at least 1. Default 10.</param>
    /// <param name="prefix">The prefix of the text; null means the caption prefix.</param>
    /// <returns>The nearest first; of equal scores, what was added first. Fewer than <paramref name="top"/> if the index is
    /// smaller.</returns>
    /// <exception cref="ArgumentException">The prefix names a type that the model was not trained on.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="top"/> is below 1.</exception>
    public IReadOnlyList<SearchResult> Search(string text, int top = DefaultTop, PrefixSelection? prefix = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Search(_model.EncodeTexts([text], prefix), top)[0];
    }

    /// <summary>Finds what is nearest to an image file.</summary>
    /// <param name="image">A path, or a locator inside an archive.</param>
    /// <param name="top"><inheritdoc cref="Search(string, int, PrefixSelection?)" path="/param[@name='top']"/></param>
    /// <returns><inheritdoc cref="Search(string, int, PrefixSelection?)" path="/returns"/></returns>
    /// <remarks>For images in memory, pass the results of <c>EncodeImages</c> to
    /// <see cref="Search(IReadOnlyList{float[]}, int)"/>.</remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="top"/> is below 1.</exception>
    /// <exception cref="InvalidDataException">The image is unreadable.</exception>
    public IReadOnlyList<SearchResult> SearchByImage(string image, int top = DefaultTop)
    {
        ArgumentNullException.ThrowIfNull(image);
        var query = _model.EncodeImages([image]);
        if (float.IsNaN(query[0][0])) throw new InvalidDataException($"The image {NearName.Quoted(image)} cannot be read.");
        return Search(query, top)[0];
    }

    /// <summary>Finds what is nearest to each of several embeddings.</summary>
    /// <param name="embeddings">Q vectors of the model's embedding size and any length above 0, such as those of <c>EncodeImages</c> and
    /// <c>EncodeTexts</c>, or weighted sums of them.</param>
    /// <param name="top"><inheritdoc cref="Search(string, int, PrefixSelection?)" path="/param[@name='top']"/></param>
    /// <returns>Q lists, each as that of <see cref="Search(string, int, PrefixSelection?)"/>.</returns>
    /// <remarks>Compares 256 queries at a time with blocks of up to 4,096 items; besides the results, it takes at most 4 MB and the
    /// queries.</remarks>
    /// <exception cref="ArgumentException">A vector has another size, or no direction: zeros, or values that are not finite, as for an
    /// unreadable image.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="top"/> is below 1.</exception>
    public IReadOnlyList<IReadOnlyList<SearchResult>> Search(IReadOnlyList<float[]> embeddings, int top = DefaultTop)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        var items = _items;
        var results = new List<IReadOnlyList<SearchResult>>(embeddings.Count);
        var scores = new CosineScores();
        foreach (var queries in Queries(embeddings).Blocks(CosineScores.MostQueries))
        {
            BestScores[] best = [.. Enumerable.Range(0, queries.Count).Select(_ => new BestScores(Math.Min(top, items.Rows.Count)))];
            foreach (var block in items.Rows.Blocks())
            {
                scores.Compute(queries, block);
                ParallelLoop.Run(queries.Count, query => best[query].Offer(scores.Of(query), block.First));
            }
            results.AddRange(best.Select(b => Array.ConvertAll(b.Descending(), i => new SearchResult(items.Keys[i.Item], i.Score))));
        }
        return results;
    }

    /// <summary>Finds pairs of near duplicates.</summary>
    /// <param name="threshold">The lowest cosine similarity of a pair, -1 to 1. Default 0.95.</param>
    /// <param name="top">Largest number of pairs, at least 1: those with the highest scores. Default 1,000.</param>
    /// <param name="cancellationToken">Stops between two blocks of 256 and up to 4,096 items.</param>
    /// <returns>Each pair once, the most similar first. Equal scores are in the order in which items were added.</returns>
    /// <remarks>Compares every item with every other: time grows with the square of <see cref="Count"/>, memory does not.</remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threshold"/> is outside -1 to 1, or <paramref name="top"/> below
    /// 1.</exception>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    public IReadOnlyList<DuplicatePair> FindDuplicates(
        float threshold = 0.95f, int top = 1000, CancellationToken cancellationToken = default)
    {
        if (threshold is not (>= -1 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(threshold), threshold, "A cosine similarity is between -1 and 1.");
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        var items = _items;
        var best = new BestScores(top);
        var scores = new CosineScores();
        foreach (var left in items.Rows.Blocks(CosineScores.MostQueries))
            foreach (var right in items.Rows.Blocks(firstRow: left.First))   // earlier ones were on the left
            {
                cancellationToken.ThrowIfCancellationRequested();
                scores.Compute(left, right);
                for (var i = 0; i < left.Count; i++)
                {
                    var row = left.First + i;
                    var skipped = Math.Clamp(row + 1 - right.First, 0, right.Count);
                    best.Offer(scores.Of(i)[skipped..], Pair(row, right.First + skipped), threshold);
                }
            }
        return Array.ConvertAll(best.Descending(), pair =>
            new DuplicatePair(items.Keys[pair.Item >> 32], items.Keys[(uint)pair.Item], pair.Score));

        static long Pair(int first, int second) => ((long)first << 32) | (uint)second;
    }

    private EmbeddingRows Queries(IReadOnlyList<float[]> embeddings)
    {
        var queries = new EmbeddingRows(_model.Architecture.EmbeddingSize);
        for (var i = 0; i < embeddings.Count; i++)
        {
            if (embeddings[i]?.Length != queries.Size)
                throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"The embedding at index {i} has ") +
                    $"{embeddings[i]?.Length ?? 0} numbers; this model's embeddings have {queries.Size}.", nameof(embeddings));
            if (!queries.TryAdd(embeddings[i]))
                throw new ArgumentException($"The embedding at index {i} has no direction: it is zero or not finite, as that of an " +
                    "unreadable image is. Leave it out.", nameof(embeddings));
        }
        return queries;
    }

    private int Add(IDataView data, DataViewSchema.Column column, EmbeddedContent content, string keyColumnName, PrefixSelection? prefix,
        CancellationToken cancellation)
    {
        var keyColumn = ColumnReader.RequireTextOrKey(data.Schema, keyColumnName, nameof(keyColumnName));
        lock (_adding)
        {
            using var phase = new LongPhase(_model.Environment, "Adding to a search index", "rows");
            var items = _items;
            var (rows, keys, added) = (items.Rows.Snapshot(), items.Keys, items.Rows.Count);
            var found = NewKeys.Read(data, keyColumn, _known, phase, cancellation);
            foreach (var (key, embedding) in found.Keys.Zip(Embeddings(found.Rows, column, content, prefix)))
            {
                cancellation.ThrowIfCancellationRequested();
                phase.Advance();
                if (!rows.TryAdd(embedding.Span)) continue;
                if (added == keys.Length) Array.Resize(ref keys, Math.Max(16, (int)Math.Min(Array.MaxLength, 2L * added)));
                keys[added++] = key;
            }
            _items = new Items(rows, keys);
            _known.UnionWith(keys.AsSpan(items.Rows.Count, added - items.Rows.Count).ToArray());
            var (count, unreadable) = (added - items.Rows.Count, found.Keys.Count - (added - items.Rows.Count));
            phase.Channel.Info(MessageSensitivity.None, "{0}", string.Create(CultureInfo.InvariantCulture,
                $"{count} of {found.RowCount} rows added; {found.RowCount - found.Keys.Count} have a key that was there already."));
            if (unreadable > 0)
                phase.Channel.Warning(MessageSensitivity.None, "{0}", string.Create(CultureInfo.InvariantCulture,
                    $"{unreadable} rows with an unreadable image were left out."));
            return count;
        }
    }

    /// <summary>The embedding of each row, valid until the next.</summary>
    private IEnumerable<ReadOnlyMemory<float>> Embeddings(
        IDataView rows, DataViewSchema.Column column, EmbeddedContent content, PrefixSelection? prefix)
    {
        const string Output = "Embedding";
        var isEmbedded = ZeroShotColumns.IsEmbedding(column);
        if (!isEmbedded)
            rows = new ClipEmbeddingTransformer(_model.Environment, _model, new(content, column.Name, Output, prefix), ownsModel: false)
                .Transform(rows);
        var embedding = isEmbedded ? column : rows.Schema[Output];
        using var cursor = rows.GetRowCursor([embedding]);
        var getter = cursor.GetGetter<VBuffer<float>>(embedding);
        VBuffer<float> value = default;
        while (cursor.MoveNext())
        {
            getter(ref value);
            float[] values = [.. value.DenseValues()];
            yield return values;
        }
    }

    /// <summary>What the index holds at one time. <paramref name="Keys"/> may have room for more.</summary>
    private sealed record Items(EmbeddingRows Rows, string[] Keys);
}

/// <summary>What a search found.</summary>
/// <param name="Key">The key of the image or text.</param>
/// <param name="Score">Cosine similarity to the query, -1 to 1.</param>
public readonly record struct SearchResult(string Key, float Score);

/// <summary>Two items of an index that are nearly the same.</summary>
/// <param name="First">The key of the one that was added first.</param>
/// <param name="Second">The key of the other.</param>
/// <param name="Score">Their cosine similarity, -1 to 1.</param>
public readonly record struct DuplicatePair(string First, string Second, float Score);
