namespace Microsoft.ML.PrefixConditioning;

/// <summary>The items with the highest scores among many, in memory for those alone. Of equal scores, the lowest number is best.</summary>
/// <param name="capacity">Number of items to keep, at least 1.</param>
internal sealed class BestScores(int capacity)
{
    private static readonly Comparer<(float Score, long Item)> WorstFirst = Comparer<(float Score, long Item)>.Create(
        (x, y) => x.Score != y.Score ? x.Score.CompareTo(y.Score) : y.Item.CompareTo(x.Item));

    private readonly PriorityQueue<long, (float Score, long Item)> _kept = new(WorstFirst);

    /// <summary>A score below which an item is not kept.</summary>
    private float _least = float.NegativeInfinity;

    /// <summary>Offers consecutive items.</summary>
    /// <param name="scores">A score for each.</param>
    /// <param name="first">Number of the first item.</param>
    /// <param name="least">Items with lower scores are left out.</param>
    public void Offer(ReadOnlySpan<float> scores, long first, float least = float.NegativeInfinity)
    {
        _least = MathF.Max(_least, least);
        for (var i = 0; i < scores.Length; i++)
            if (scores[i] >= _least) Offer(scores[i], first + i);
    }

    /// <summary>The kept items, the best first.</summary>
    public (long Item, float Score)[] Descending()
    {
        var all = new (long, float)[_kept.Count];
        for (var i = all.Length - 1; i >= 0; i--)
        {
            _kept.TryDequeue(out var item, out var priority);
            all[i] = (item, priority.Score);
        }
        return all;
    }

    private void Offer(float score, long item)
    {
        if (_kept.Count < capacity) _kept.Enqueue(item, (score, item));
        else _kept.EnqueueDequeue(item, (score, item));
        if (_kept.Count == capacity && _kept.TryPeek(out _, out var worst)) _least = MathF.Max(_least, worst.Score);
    }
}
