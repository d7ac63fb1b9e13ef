namespace Microsoft.ML.PrefixConditioning;

/// <summary>Which rows of a matrix make a sequence, and who looks at whom. N sequences, T rows of all of them.</summary>
internal sealed class AttentionLayout
{
    private readonly long[] _firstRows;            // [N + 1]
    private readonly long[] _probabilityStarts;    // [N + 1]

    /// <param name="lengths">[N], tokens of every sequence; they lie one after the other.</param>
    /// <param name="heads">H.</param>
    /// <param name="width">H * d.</param>
    /// <param name="causal">Whether a token looks at itself and those before it only.</param>
    /// <param name="pooled">Whether there is one query per sequence, which looks at all of its tokens.</param>
    public AttentionLayout(int[] lengths, int heads, int width, bool causal, bool pooled)
    {
        (Heads, Width, HeadSize, Causal, Pooled, Sequences) = (heads, width, width / heads, causal, pooled, lengths.Length);
        _firstRows = new long[lengths.Length + 1];
        _probabilityStarts = new long[lengths.Length + 1];
        for (var i = 0; i < lengths.Length; i++)
        {
            LongestSequence = Math.Max(LongestSequence, lengths[i]);
            _firstRows[i + 1] = _firstRows[i] + lengths[i];
            _probabilityStarts[i + 1] = _probabilityStarts[i] + (long)heads * HeadSpace(i);
        }
    }

    public int Heads { get; }

    public int Width { get; }

    public int HeadSize { get; }

    public bool Causal { get; }

    public bool Pooled { get; }

    /// <summary>N.</summary>
    public int Sequences { get; }

    public int LongestSequence { get; }

    /// <summary>T.</summary>
    public long Rows => _firstRows[^1];

    /// <summary>Room for the attention weights as whole tiles of <see cref="SmallMatrix{V}"/>, which reads a little beyond the
    /// last.</summary>
    public long ProbabilityCount => _probabilityStarts[^1] + SmallMatrix.Rows(1);

    public int Length(int sequence) => (int)(_firstRows[sequence + 1] - _firstRows[sequence]);

    public int Queries(int sequence) => Pooled ? 1 : Length(sequence);

    public long FirstRow(int sequence) => _firstRows[sequence];

    public long QueryRow(int sequence) => Pooled ? sequence : _firstRows[sequence];

    public long ProbabilityStart(int sequence, int head) =>
        _probabilityStarts[sequence] + (long)head * HeadSpace(sequence);

    private long HeadSpace(int sequence) => (long)SmallMatrix.Rows(Queries(sequence)) * SmallMatrix.Columns(Length(sequence));
}
