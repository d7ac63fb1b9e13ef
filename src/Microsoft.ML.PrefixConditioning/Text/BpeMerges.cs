namespace Microsoft.ML.PrefixConditioning;

/// <summary>An ordered list of merges and the symbols that they make. Immutable.</summary>
/// <remarks>
/// Ids as in CLIP: 0 to 255 the bytes, 256 to 511 the same at the end of a word, then one for every merge in order. Start and
/// end token follow; they are not symbols.
/// </remarks>
internal sealed class BpeMerges
{
    /// <summary>Ids that exist before the first merge: every byte, inside and at the end of a word.</summary>
    public const int BaseCount = 2 * ByteAlphabet.Size;

    /// <summary>Suffix of the symbols that end a word.</summary>
    public const string WordEnd = "</w>";

    private readonly List<(int Left, int Right)> _pairs = [];
    private readonly List<string> _symbols = [];
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);

    private BpeMerges()
    {
        foreach (var c in ByteAlphabet.Symbols) AddSymbol(c.ToString());
        foreach (var c in ByteAlphabet.Symbols) AddSymbol(c + WordEnd);
    }

    /// <summary>The two ids that each merge joins; merge i makes id <see cref="BaseCount"/> + i.</summary>
    public IReadOnlyList<(int Left, int Right)> Pairs => _pairs;

    /// <summary>The text of every id, in the byte alphabet.</summary>
    public IReadOnlyList<string> Symbols => _symbols;

    /// <summary>Merges given by the two symbols that each joins.</summary>
    /// <exception cref="InvalidDataException">A merge joins a symbol that no earlier merge makes, or makes one that exists
    /// already.</exception>
    public static BpeMerges FromSymbols(IEnumerable<(string Left, string Right)> merges)
    {
        var result = new BpeMerges();
        foreach (var (left, right) in merges)
        {
            if (!result._ids.TryGetValue(left, out var leftId)) throw result.Unknown(left, left, right);
            if (!result._ids.TryGetValue(right, out var rightId)) throw result.Unknown(right, left, right);
            result.Add(leftId, rightId);
        }
        return result;
    }

    /// <summary>Merges given by the two ids that each joins.</summary>
    /// <exception cref="InvalidDataException">As in <see cref="FromSymbols"/>.</exception>
    public static BpeMerges FromIds(IEnumerable<(int Left, int Right)> merges)
    {
        var result = new BpeMerges();
        foreach (var (left, right) in merges)
        {
            var wrong = left < 0 || left >= result._symbols.Count ? left : right;
            if (wrong < 0 || wrong >= result._symbols.Count)
                throw new InvalidDataException(
                    $"Merge {result._pairs.Count + 1} joins id {wrong}, but only ids 0 to {result._symbols.Count - 1} exist before it.");
            result.Add(left, right);
        }
        return result;
    }

    private void Add(int left, int right)
    {
        var joined = _symbols[left] + _symbols[right];
        // CLIP's ids need one symbol a merge: a merge that makes a symbol twice would leave an id without a text of its own.
        if (_ids.TryGetValue(joined, out var existing))
            throw new InvalidDataException(
                $"Merge {_pairs.Count + 1} ('{_symbols[left]}' and '{_symbols[right]}') makes '{joined}', which "
                + (existing < BaseCount ? "stands for a byte" : $"merge {existing - BaseCount + 1} makes")
                + " already. Every merge must make a new symbol; remove the duplicate.");
        _pairs.Add((left, right));
        AddSymbol(joined);
    }

    private void AddSymbol(string symbol)
    {
        _ids.Add(symbol, _symbols.Count);
        _symbols.Add(symbol);
    }

    private InvalidDataException Unknown(string symbol, string left, string right) => new(
        $"Merge {_pairs.Count + 1} ('{left}' and '{right}') joins '{symbol}', which is neither a byte's symbol nor made by an earlier "
        + "merge. The merges are out of order or incomplete.");
}
