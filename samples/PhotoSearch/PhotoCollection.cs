using System.Collections.Concurrent;
using System.Linq.Expressions;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.VectorData;

namespace PhotoSearch;

/// <summary>A vector store in the memory of this process, which compares a query with every photo. A database takes its place without a
/// change elsewhere: its package has another class derived from <see cref="VectorStoreCollection{TKey, TRecord}"/>.</summary>
internal sealed class PhotoCollection : VectorStoreCollection<string, Photo>
{
    private readonly ConcurrentDictionary<string, Photo> _photos = new(StringComparer.Ordinal);

    public override string Name => "photos";

    public override Task<bool> CollectionExistsAsync(CancellationToken cancellationToken = default) => Task.FromResult(true);

    public override Task EnsureCollectionExistsAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

    public override Task EnsureCollectionDeletedAsync(CancellationToken cancellationToken = default)
    {
        _photos.Clear();
        return Task.CompletedTask;
    }

    public override Task<Photo?> GetAsync(
        string key, RecordRetrievalOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.FromResult(_photos.GetValueOrDefault(key));

    public override IAsyncEnumerable<Photo> GetAsync(Expression<Func<Photo, bool>> filter, int top,
        FilteredRecordRetrievalOptions<Photo>? options = null, CancellationToken cancellationToken = default) =>
        _photos.Values.AsQueryable().Where(filter).OrderBy(p => p.Name).Skip(options?.Skip ?? 0).Take(top).ToAsyncEnumerable();

    public override Task DeleteAsync(string key, CancellationToken cancellationToken = default)
    {
        _photos.TryRemove(key, out _);
        return Task.CompletedTask;
    }

    public override Task UpsertAsync(Photo record, CancellationToken cancellationToken = default)
    {
        _photos[record.Name] = record;
        return Task.CompletedTask;
    }

    public override async Task UpsertAsync(IEnumerable<Photo> records, CancellationToken cancellationToken = default)
    {
        foreach (var record in records) await UpsertAsync(record, cancellationToken);
    }

    public override async IAsyncEnumerable<VectorSearchResult<Photo>> SearchAsync<TInput>(TInput searchValue, int top,
        VectorSearchOptions<Photo>? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (searchValue is not ReadOnlyMemory<float> query)
            throw new NotSupportedException($"A query is an embedding (ReadOnlyMemory<float>), found {typeof(TInput).Name}.");
        var photos = options?.Filter is { } filter ? _photos.Values.AsQueryable().Where(filter) : _photos.Values.AsQueryable();
        var found = photos.AsEnumerable().Select(photo => new VectorSearchResult<Photo>(photo, Product(query.Span, photo.Embedding.Span)))
            .Where(result => result.Score >= (options?.ScoreThreshold ?? double.NegativeInfinity))
            .OrderByDescending(result => result.Score).ThenBy(result => result.Record.Name, StringComparer.Ordinal);
        foreach (var result in found.Skip(options?.Skip ?? 0).Take(top))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return await Task.FromResult(result);
        }
    }

    public override object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is null && serviceType.IsInstanceOfType(this) ? this : null;

    /// <summary>The cosine similarity, since embeddings have unit length.</summary>
    private static double Product(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        var sum = 0.0;
        for (var i = 0; i < x.Length; i++) sum += x[i] * y[i];
        return sum;
    }
}
