using System.Runtime.InteropServices;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Learns merges from texts by repeatedly merging the most frequent pair of adjacent symbols within words.</summary>
/// <remarks>
/// Source: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units" (2016), on bytes as in GPT-2, with CLIP's
/// words. Pairs are counted once and then only where a merge changes them, so the cost grows with the distinct words, not with the
/// texts times the merges.
/// </remarks>
internal sealed class BpeLearner
{
    private const int None = -1;
    private const int FewestOccurrences = 2;   // a pair that occurs once says nothing about the next text
    private const int TextsAtOnce = 1 << 14;

    // All distinct words one after the other, each a doubly linked list of symbols.
    private readonly List<int> _symbol = [];
    private readonly List<int> _previous = [];
    private readonly List<int> _next = [];
    private readonly List<long> _weight = [];   // how often the word occurs
    private readonly List<string> _texts = [];
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly List<(int Left, int Right)> _merges = [];
    private readonly Dictionary<(int Left, int Right), Occurrences> _pairs = [];
    private readonly PriorityQueue<(int Left, int Right), Candidate> _queue;

    private BpeLearner()
    {
        _queue = new PriorityQueue<(int Left, int Right), Candidate>(Comparer<Candidate>.Create(Compare));
        foreach (var c in ByteAlphabet.Symbols) AddSymbol(c.ToString());
        foreach (var c in ByteAlphabet.Symbols) AddSymbol(c + BpeMerges.WordEnd);
    }

    private readonly record struct Candidate(long Count, int Left, int Right);

    private sealed class Occurrences
    {
        public long Count;
        public readonly List<int> Positions = [];   // of the left symbol; some may be out of date
    }

    /// <summary>Learns merges until the vocabulary reaches its size, or no pair occurs twice.</summary>
    /// <param name="texts">Texts as they come, read once; they are cleaned here.</param>
    /// <param name="vocabularySize">All ids: 512 for bytes, one a merge, start and end.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <exception cref="ArgumentException">The texts hold no word.</exception>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    /// <remarks>Among equally frequent pairs, the ordinally first is merged, so the order of the texts does not matter.</remarks>
    public static BpeMerges Learn(IEnumerable<string> texts, int vocabularySize, CancellationToken cancellation = default)
    {
        const int Smallest = BpeMerges.BaseCount + 2;
        ArgumentNullException.ThrowIfNull(texts);
        if (vocabularySize < Smallest)
            throw new ArgumentOutOfRangeException(nameof(vocabularySize), vocabularySize,
                $"A vocabulary has at least {Smallest} ids: {BpeMerges.BaseCount} for bytes, a start and an end token.");
        var words = CountWords(texts, cancellation, out var textCount);
        if (words.Count == 0)
            throw new ArgumentException(
                $"The {textCount} texts hold no word to learn a vocabulary from. Check the text column of the training data.",
                nameof(texts));
        var learner = new BpeLearner();
        foreach (var (word, count) in words)
        {
            cancellation.ThrowIfCancellationRequested();
            learner.AddWord(word, count);
        }
        learner.Run(vocabularySize - Smallest, cancellation);
        return BpeMerges.FromIds(learner._merges);
    }

    /// <summary>How often each word occurs, counted on all cores.</summary>
    private static Dictionary<string, long> CountWords(IEnumerable<string> texts, CancellationToken cancellation, out int textCount)
    {
        var parts = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Dictionary<string, long>(StringComparer.Ordinal))
            .ToArray();
        textCount = 0;
        foreach (var block in texts.Chunk(TextsAtOnce * parts.Length))
        {
            textCount += block.Length;
            ParallelLoop.Run(parts.Length, part =>
            {
                for (var i = part; i < block.Length; i += parts.Length) CountWords(block[i], parts[part]);
            }, cancellation);
        }
        foreach (var part in parts[1..])
            foreach (var (word, count) in part) CollectionsMarshal.GetValueRefOrAddDefault(parts[0], word, out _) += count;
        return parts[0];
    }

    private static void CountWords(string text, Dictionary<string, long> counts)
    {
        var known = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        var clean = TextCleaner.Clean(text);
        for (var position = 0; ClipWords.TryNext(clean, ref position, out var range);)
        {
            var word = clean.AsSpan(range);
            if (word is ClipWords.StartText or ClipWords.EndText) continue;   // they have ids of their own
            CollectionsMarshal.GetValueRefOrAddDefault(known, word, out _)++;
        }
    }

    private void AddWord(string word, long count)
    {
        var bytes = Encoding.UTF8.GetBytes(word);
        var begin = _symbol.Count;
        for (var i = 0; i < bytes.Length; i++)
        {
            var isLast = i == bytes.Length - 1;
            _symbol.Add(ByteAlphabet.IdOf(bytes[i]) + (isLast ? ByteAlphabet.Size : 0));
            _previous.Add(i == 0 ? None : begin + i - 1);
            _next.Add(isLast ? None : begin + i + 1);
            _weight.Add(count);
            if (i > 0) Change(begin + i - 1, _symbol[begin + i - 1], _symbol[begin + i], count);
        }
    }

    private void Run(int wanted, CancellationToken cancellation)
    {
        foreach (var (pair, occurrences) in _pairs) _queue.Enqueue(pair, new Candidate(occurrences.Count, pair.Left, pair.Right));
        while (_merges.Count < wanted && _queue.TryDequeue(out var pair, out var candidate))
        {
            cancellation.ThrowIfCancellationRequested();
            if (!_pairs.TryGetValue(pair, out var occurrences)) continue;   // merged before
            if (occurrences.Count != candidate.Count)
            {
                // Out of date. A count that grew was queued again then; one that shrank is queued now.
                if (occurrences.Count < candidate.Count) Enqueue(pair, occurrences);
                continue;
            }
            if (candidate.Count < FewestOccurrences) return;
            _pairs.Remove(pair);
            if (_known.Contains(_texts[pair.Left] + _texts[pair.Right])) continue;   // ids need distinct texts (see BpeMerges)
            Merge(pair, occurrences);
        }
    }

    private void Merge((int Left, int Right) pair, Occurrences occurrences)
    {
        var merged = _texts.Count;
        AddSymbol(_texts[pair.Left] + _texts[pair.Right]);
        _merges.Add(pair);
        var changed = new HashSet<(int Left, int Right)>();
        occurrences.Positions.Sort();   // in a run of equal symbols the first two merge
        foreach (var left in occurrences.Positions)
        {
            if (_symbol[left] != pair.Left || _next[left] is not (>= 0 and var right) || _symbol[right] != pair.Right) continue;
            int before = _previous[left], after = _next[right];
            var weight = _weight[left];
            if (before != None)
            {
                Change(None, _symbol[before], pair.Left, -weight);
                changed.Add(Change(before, _symbol[before], merged, weight));
            }
            if (after != None)
            {
                Change(None, pair.Right, _symbol[after], -weight);
                changed.Add(Change(left, merged, _symbol[after], weight));
                _previous[after] = left;
            }
            _symbol[left] = merged;
            _next[left] = after;
            _symbol[right] = None;
        }
        foreach (var key in changed)
            if (_pairs.TryGetValue(key, out var grown)) Enqueue(key, grown);
    }

    // position: of the left symbol, where a pair is new.
    private (int Left, int Right) Change(int position, int left, int right, long difference)
    {
        var pair = (left, right);
        if (!_pairs.TryGetValue(pair, out var occurrences))
        {
            if (difference < 0) return pair;   // the pair that is being merged
            _pairs.Add(pair, occurrences = new Occurrences());
        }
        occurrences.Count += difference;
        if (position != None) occurrences.Positions.Add(position);
        return pair;
    }

    private void Enqueue((int Left, int Right) pair, Occurrences occurrences)
    {
        if (occurrences.Count >= FewestOccurrences) _queue.Enqueue(pair, new Candidate(occurrences.Count, pair.Left, pair.Right));
    }

    private void AddSymbol(string text)
    {
        _texts.Add(text);
        _known.Add(text);
    }

    private int Compare(Candidate a, Candidate b)
    {
        if (a.Count != b.Count) return b.Count.CompareTo(a.Count);
        var byLeft = string.CompareOrdinal(_texts[a.Left], _texts[b.Left]);
        return byLeft != 0 ? byLeft : string.CompareOrdinal(_texts[a.Right], _texts[b.Right]);
    }
}
