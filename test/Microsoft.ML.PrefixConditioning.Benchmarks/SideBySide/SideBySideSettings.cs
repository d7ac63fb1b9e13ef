namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>What the comparison is run with.</summary>
/// <param name="Pairs">Pairs of runs, of which medians are taken.</param>
/// <param name="Peer">open_clip, or null to compare with the plain way of this package.</param>
/// <param name="Tokenizer">CLIP's vocabulary if it is at hand, else one that was learned from the texts.</param>
/// <param name="Texts">Captions.</param>
internal sealed record SideBySideSettings(int Pairs, OpenClipPeer? Peer, ClipTokenizer Tokenizer, IReadOnlyList<string> Texts)
{
    /// <summary>Token ids of captions, one for every row of a batch.</summary>
    public IReadOnlyList<int[]> CaptionTexts(PrefixClipOptions options) => Tokens(options, i => Texts[i % Texts.Count]);

    /// <summary>Token ids of class names in a template, one for every row of a batch.</summary>
    public IReadOnlyList<int[]> ClassTexts(PrefixClipOptions options)
    {
        var random = new Random(1);
        return Tokens(options, _ => $"a photo of a {Captions.ClassNames[random.Next(Captions.ClassNames.Count)]}.");
    }

    private int[][] Tokens(PrefixClipOptions options, Func<int, string> text) =>
        [.. Enumerable.Range(0, options.BatchSize!.Value).Select(i => Tokenizer.Encode(text(i), options.Architecture!.ContextLength))];
}
