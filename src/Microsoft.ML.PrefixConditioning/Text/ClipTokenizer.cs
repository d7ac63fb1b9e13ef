using System.Collections.Concurrent;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Converts texts to token ids as CLIP does. Safe for concurrent use.</summary>
/// <remarks>
/// Source: <c>SimpleTokenizer</c> of open_clip v3.3.0. The merging is <see cref="BpeTokenizer"/>'s, which is exact here (byte level,
/// "&lt;/w&gt;" at the end of a word). Not used of it: its pre-tokenizers and normalizers, which see text as UTF-16; its special
/// tokens, since a special text ends the word before it only where CLIP's pattern says so; and its decoder, which drops the last
/// word's end.
/// </remarks>
internal sealed class ClipTokenizer
{
    private const int MaxCachedWords = 16_384;
    private const int MaxCachedWordLength = 64;

    // BpeTokenizer's time grows with the square of a word's length. A word this long fills any context many times over, and what
    // is behind it does not reach the first tokens.
    private const int MaxWordLength = 8_192;

    private readonly Lazy<BpeTokenizer> _bpe;   // scoring images needs none
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private int _cachedWords;

    /// <summary>A tokenizer with the given merges.</summary>
    internal ClipTokenizer(BpeMerges merges)
    {
        Merges = merges;
        _bpe = new(() => BpeTokenizer.Create(new BpeOptions(merges.Symbols.Select((symbol, id) => KeyValuePair.Create(symbol, id)))
        {
            Merges = merges.Pairs.Select(pair => merges.Symbols[pair.Left] + ' ' + merges.Symbols[pair.Right]),
            ByteLevel = true,
            EndOfWordSuffix = BpeMerges.WordEnd,
        }));
    }

    /// <summary>The merges; their symbols have the ids up to the start token.</summary>
    public BpeMerges Merges { get; }

    /// <summary>Number of ids, the start and the end token included.</summary>
    public int VocabularySize => Merges.Symbols.Count + 2;

    /// <summary>Id of the token that every text begins with.</summary>
    public int StartToken => Merges.Symbols.Count;

    /// <summary>Id of the token that every text ends with; always the largest id, because the text tower pools at it.</summary>
    public int EndToken => Merges.Symbols.Count + 1;

    /// <summary>Reads a published vocabulary.</summary>
    /// <param name="path">
    /// CLIP's bpe_simple_vocab_16e6.txt.gz or the unpacked .txt, or a folder (or a file in it) with Hugging Face's vocab.json and
    /// merges.txt, or with its tokenizer.json.
    /// </param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is something else, damaged, or the two files do not fit.</exception>
    public static ClipTokenizer FromFile(string path) => new(MergesFile.Read(path));

    /// <summary>Learns a vocabulary from texts; deterministic, and independent of the texts' order.</summary>
    /// <param name="texts">Captions and class names as they come; they are cleaned here.</param>
    /// <param name="vocabularySize">Number of ids, at least 514. Fewer are learned if the texts do not yield as many.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <exception cref="ArgumentException">The texts hold no word.</exception>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    public static ClipTokenizer Learn(IEnumerable<string> texts, int vocabularySize, CancellationToken cancellation = default) =>
        new(BpeLearner.Learn(texts, vocabularySize, cancellation));

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The stream holds something else or is damaged.</exception>
    public static ClipTokenizer Load(Stream stream) => new(BpeMergesFormat.Read(stream));

    /// <summary>Writes the vocabulary; equal vocabularies give equal bytes.</summary>
    public void Save(Stream stream) => BpeMergesFormat.Write(stream, Merges);

    /// <summary>The vocabulary as Hugging Face's files.</summary>
    /// <param name="contextLength">Maximum length of a text in tokens.</param>
    public IEnumerable<(string Name, byte[] Content)> Files(int contextLength) => VocabularyFiles.Of(Merges, contextLength);

    /// <summary>Cleans a text and turns it into ids.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="contextLength">Maximum number of ids, at least 2; CLIP's is 77.</param>
    /// <returns>Start token, tokens, end token, without padding. A text that is too long is truncated before the end token.</returns>
    public int[] Encode(string text, int contextLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 2);
        var clean = TextCleaner.Clean(text);
        var ids = new List<int> { StartToken };
        for (var position = 0; ids.Count < contextLength && ClipWords.TryNext(clean, ref position, out var range);)
            ids.AddRange(EncodeWord(clean[range]));
        if (ids.Count >= contextLength) ids.RemoveRange(contextLength - 1, ids.Count - contextLength + 1);
        ids.Add(EndToken);
        return ids.ToArray();
    }

    private IReadOnlyList<int> EncodeWord(string word)
    {
        if (word == ClipWords.StartText) return [StartToken];
        if (word == ClipWords.EndText) return [EndToken];
        if (_cache.TryGetValue(word, out var cached)) return cached;
        if (word.Length > MaxWordLength) word = word[..(MaxWordLength - (char.IsHighSurrogate(word[MaxWordLength - 1]) ? 1 : 0))];
        var ids = _bpe.Value.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false);
        // Full is full: words that come early are the frequent ones. The count may run over by a few in a race.
        if (word.Length <= MaxCachedWordLength && _cachedWords < MaxCachedWords && _cache.TryAdd(word, [.. ids]))
            Interlocked.Increment(ref _cachedWords);
        return ids;
    }
}
