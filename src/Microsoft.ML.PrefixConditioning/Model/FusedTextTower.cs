using System.Numerics.Tensors;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The text tower on a processor up to its pooled token; <see cref="TextTower"/> says what it computes.</summary>
/// <remarks>
/// Texts are not padded: every text ends with its end token, which is exact because attention is causal and a text is pooled there.
/// N texts, P prefix tokens, T tokens of all texts with their prefixes, W width.
/// </remarks>
internal sealed unsafe class FusedTextTower : IFusedTower<TextInput>
{
    private readonly FusedWeight _tokens, _positions;
    private readonly FusedWeight? _prefixes;
    private readonly TextTower _tower;
    private readonly int _prefixLength, _width;

    public FusedTextTower(TextTower tower)
    {
        _tower = tower;
        _tokens = new FusedWeight(tower.Tokens);
        _positions = new FusedWeight(tower.Positions);
        if (tower.Prefixes is { } prefixes) (_prefixes, _prefixLength) = (new FusedWeight(prefixes.Table), prefixes.Length);
        _width = (int)tower.Tokens.shape[1];
        Blocks = new FusedBlocks([.. tower.Blocks.Select(b => b.Weights)], AttentionMask.Causal);
    }

    /// <inheritdoc/>
    public FusedBlocks Blocks { get; }

    /// <inheritdoc/>
    public bool IsTrained => InputIsTrained || Blocks.IsTrained;

    private bool InputIsTrained => _tokens.IsTrained || _positions.IsTrained || _prefixes is { IsTrained: true };

    /// <inheritdoc/>
    public TorchSharp.torch.Tensor Head(TextInput input, TorchSharp.torch.Tensor pooled) => _tower.Head(pooled);

    /// <inheritdoc/>
    public MatrixBuffer Forward(TextInput input, TowerMemory memory, bool keep)
    {
        var prefix = input.DatasetTypes is null ? 0 : _prefixLength;
        var lengths = input.Texts.Select(t => t.Length + prefix).ToArray();
        var queries = new long[lengths.Length];
        long rows = 0;
        for (var i = 0; i < lengths.Length; i++) queries[i] = (rows += lengths[i]) - 1;
        var sequence = memory.Embedded.Resize(rows, _width);
        for (var text = 0; text < lengths.Length; text++)
        {
            var row = queries[text] + 1 - lengths[text];
            for (var i = 0; i < prefix; i++) Row(_prefixes!.Data, input.DatasetTypes![text] * prefix + i).CopyTo(Row(sequence.Data, row++));
            for (var i = 0; i < input.Texts[text].Length; i++)
                TensorPrimitives.Add<float>(Row(_tokens.Data, input.Texts[text][i]), Row(_positions.Data, i), Row(sequence.Data, row++));
        }
        return Blocks.Forward(memory, sequence, lengths, queries, keep);
    }

    /// <inheritdoc/>
    public void Backward(TextInput input, TowerMemory memory, TorchSharp.torch.Tensor gradient)
    {
        if (Blocks.Backward(memory, gradient, InputIsTrained) is not { } tokens) return;
        foreach (var weight in new[] { _tokens, _positions, _prefixes }) weight?.BeginBackward();
        var prefix = input.DatasetTypes is null ? 0 : _prefixLength;
        long row = 0;
        for (var text = 0; text < input.Texts.Count; text++)
        {
            for (var i = 0; i < prefix; i++) Add(tokens, row++, _prefixes!.Gradient, input.DatasetTypes![text] * prefix + i);
            for (var i = 0; i < input.Texts[text].Length; i++)
            {
                Add(tokens, row, _tokens.Gradient, input.Texts[text][i]);
                Add(tokens, row++, _positions.Gradient, i);
            }
        }
    }

    private void Add(MatrixBuffer source, long sourceRow, float* target, long targetRow)
    {
        if (target is null) return;   // frozen
        var sum = Row(target, targetRow);
        TensorPrimitives.Add<float>(Row(source.Data, sourceRow), sum, sum);
    }

    private Span<float> Row(float* matrix, long row) => new(matrix + row * _width, _width);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var weight in new[] { _tokens, _positions, _prefixes }) weight?.Dispose();
        Blocks.Dispose();
    }
}

/// <summary>What the text tower reads.</summary>
/// <param name="Texts">[N], token ids of each text, from its start to its end token.</param>
/// <param name="DatasetTypes">[N], the index of each text's dataset type, or null for none.</param>
internal sealed record TextInput(IReadOnlyList<int[]> Texts, long[]? DatasetTypes);
