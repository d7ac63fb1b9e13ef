namespace Microsoft.ML.PrefixConditioning;

/// <summary>Retrieval metrics of queries, from their scores with all items. Memory grows with one block of queries, not with the number of
/// pairs.</summary>
/// <param name="queries">[Q, D].</param>
/// <param name="items">[N, D].</param>
/// <param name="relevant">For each query, the items that belong to it: at least one.</param>
internal sealed class RankedQueries(EmbeddingRows queries, EmbeddingRows items, IReadOnlyList<int[]> relevant)
{
    private readonly CosineScores _scores = new();

    /// <summary>Ranks all items for all queries.</summary>
    /// <param name="onBlock">Called before every block of at most 256 queries and 4096 items; may throw to cancel.</param>
    public RetrievalMetrics Measure(Action? onBlock = null)
    {
        double first = 0, fifth = 0, tenth = 0, precision = 0;
        foreach (var block in queries.Blocks(CosineScores.MostQueries))
        {
            var ranked = Levels(block);
            foreach (var part in items.Blocks())
            {
                onBlock?.Invoke();
                _scores.Compute(block, part);
                ParallelLoop.Run(block.Count, query => ranked[query].Count(_scores.Of(query)));
            }
            foreach (var groups in ranked.Select(r => r.Groups()))
            {
                first += TiedGroup.Recall(groups, 1);
                fifth += TiedGroup.Recall(groups, 5);
                tenth += TiedGroup.Recall(groups, 10);
                precision += TiedGroup.AveragePrecision(groups);
            }
        }
        return new(first / queries.Count, fifth / queries.Count, tenth / queries.Count, precision / queries.Count);
    }

    /// <summary>The scores of every query of a block with its own items. They equal those in the blocks of all items bit by bit.</summary>
    private ScoreLevels[] Levels(EmbeddingBlock block)
    {
        int[] needed = [.. Enumerable.Range(block.First, block.Count).SelectMany(query => relevant[query]).Distinct()];
        var rowOf = needed.Index().ToDictionary(n => n.Item, n => n.Index);
        var own = new EmbeddingRows(items.Size);
        foreach (var item in needed) own.TryAdd(items[item]);
        float[][] scores = [.. Enumerable.Range(block.First, block.Count).Select(query => new float[relevant[query].Length])];
        foreach (var part in own.Blocks())
        {
            _scores.Compute(block, part);
            for (var query = 0; query < block.Count; query++)
                foreach (var (place, item) in relevant[block.First + query].Index())
                    if (rowOf[item] - part.First is var row && row >= 0 && row < part.Count) scores[query][place] = _scores.Of(query)[row];
        }
        return Array.ConvertAll(scores, s => new ScoreLevels(s));
    }

    /// <summary>The distinct scores of a query's own items, and how many of all items are at and between them.</summary>
    private sealed class ScoreLevels
    {
        private readonly float[] _levels;             // ascending
        private readonly int[] _own;                  // own items at each level
        private readonly long[] _at, _above;          // all items at each level, and between it and the next

        public ScoreLevels(float[] own)
        {
            var levels = own.CountBy(s => s).OrderBy(l => l.Key).ToArray();
            (_levels, _own) = ([.. levels.Select(l => l.Key)], [.. levels.Select(l => l.Value)]);
            (_at, _above) = (new long[levels.Length], new long[levels.Length]);
        }

        public void Count(ReadOnlySpan<float> scores)
        {
            var lowest = _levels[0];
            foreach (var score in scores)
            {
                if (score < lowest) continue;
                var level = Array.BinarySearch(_levels, score);
                if (level >= 0) _at[level]++;
                else _above[~level - 1]++;
            }
        }

        /// <summary>The groups of equal scores that have own items, the best first.</summary>
        public TiedGroup[] Groups()
        {
            var groups = new TiedGroup[_levels.Length];
            var (before, own) = (0L, 0);
            for (var level = _levels.Length - 1; level >= 0; level--)
            {
                before += _above[level];
                groups[^(level + 1)] = new(before, own, _at[level], _own[level]);
                (before, own) = (before + _at[level], own + _own[level]);
            }
            return groups;
        }
    }
}
