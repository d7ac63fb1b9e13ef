using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The vision tower on a processor up to its pooled token; <see cref="VisionTower"/> says what it computes.</summary>
/// <remarks>N images, G patches of p x p pixels, P prefix tokens, L = P + 1 + G, W width.</remarks>
internal sealed unsafe class FusedVisionTower : IFusedTower<VisionInput>
{
    private readonly FusedWeight _patches, _classToken, _positions;
    private readonly FusedWeight? _prefixes;
    private readonly FusedNorm _firstNorm;
    private readonly VisionTower _tower;
    private readonly int _prefixLength, _patchSize, _width;

    public FusedVisionTower(VisionTower tower)
    {
        _tower = tower;
        _patches = new FusedWeight(tower.Patches);
        _classToken = new FusedWeight(tower.ClassToken);
        _positions = new FusedWeight(tower.Positions);
        _firstNorm = new FusedNorm(tower.FirstNorm.Gain, tower.FirstNorm.Bias);
        if (tower.Prefixes is { } prefixes) (_prefixes, _prefixLength) = (new FusedWeight(prefixes.Table), prefixes.Length);
        (_patchSize, _width) = ((int)tower.Patches.shape[2], (int)tower.Patches.shape[0]);
        Blocks = new FusedBlocks([.. tower.Blocks.Select(b => b.Weights)], AttentionMask.None);
    }

    /// <inheritdoc/>
    public FusedBlocks Blocks { get; }

    /// <inheritdoc/>
    public bool IsTrained => InputIsTrained || Blocks.IsTrained;

    private bool InputIsTrained => _patches.IsTrained || _classToken.IsTrained || _positions.IsTrained || _firstNorm.IsTrained || _prefixes is { IsTrained: true };

    /// <inheritdoc/>
    public Tensor Head(VisionInput input, Tensor pooled) => _tower.Head(pooled);

    /// <inheritdoc/>
    public MatrixBuffer Forward(VisionInput input, TowerMemory memory, bool keep)
    {
        var (images, types) = input;
        int count = (int)images.shape[0], size = (int)images.shape[2], grid = size / _patchSize, patches = grid * grid;
        var values = 3 * _patchSize * _patchSize;
        var columns = memory.Columns.Resize((long)count * patches, values);
        CopyPatches(MatrixBuffer.Pointer(images), count, size, columns.Data);
        var embedded = memory.Patches.Resize((long)count * patches, _width);
        WeightProduct.Run(columns, _patches.Data, _patches.Transposed, embedded);   // [N * G, W]

        int prefix = types is null ? 0 : _prefixLength, length = prefix + 1 + patches;
        var sequence = memory.Embedded.Resize((long)count * length, _width);
        ParallelLoop.Run(count, image =>
        {
            var target = sequence.Data + (long)image * length * _width;
            if (prefix > 0) CopyValues(_prefixes!.Data + types![image] * prefix * _width, target, prefix * _width);
            target += prefix * _width;
            Sum(_classToken.Data, _positions.Data, target, _width);
            Sum(embedded.Data + (long)image * patches * _width, _positions.Data + _width, target + _width, patches * _width);
        });
        var normed = keep ? memory.Normed.Resize(sequence.Tensor.shape[0], _width) : sequence;
        RowKernels.AddAndNormalise((long)count * length, _width, sequence.Data, null, null, null, _firstNorm.Weights, normed.Data,
            memory.Statistics.Resize((long)count * length, 2).Data);
        var lengths = new int[count];
        Array.Fill(lengths, length);
        return Blocks.Forward(memory, normed, lengths, [.. Enumerable.Range(0, count).Select(i => (long)i * length + prefix)], keep);
    }

    /// <inheritdoc/>
    public void Backward(VisionInput input, TowerMemory memory, Tensor gradient)
    {
        int count = (int)input.Images.shape[0], patches = (int)(memory.Patches.Tensor.shape[0] / count);
        int prefix = input.DatasetTypes is null ? 0 : _prefixLength, length = prefix + 1 + patches;
        if (Blocks.Backward(memory, gradient, InputIsTrained) is not { } tokens) return;
        foreach (var weight in new[] { _patches, _classToken, _positions, _prefixes }) weight?.BeginBackward();
        RowKernels.NormaliseBack((long)count * length, _width, memory.Embedded.Data, memory.Statistics.Data, _firstNorm.BeginBackward(), tokens.Data, tokens.Data, overwrite: true);
        var embedded = memory.Patches;
        ParallelLoop.Run(count, image =>
            CopyValues(tokens.Data + ((long)image * length + prefix + 1) * _width, embedded.Data + (long)image * patches * _width, patches * _width));
        _patches.AddProduct(embedded.Tensor, memory.Columns.Tensor);
        ParallelLoop.Run(_positions.IsTrained ? 1 + patches : 0, position =>
        {
            for (var image = 0; image < count; image++)
                Add(tokens.Data + ((long)image * length + prefix + position) * _width, _positions.Gradient + (long)position * _width, _width);
        });
        for (var image = 0; image < count; image++)
        {
            var row = tokens.Data + (long)image * length * _width;
            if (prefix > 0 && _prefixes!.IsTrained) Add(row, _prefixes.Gradient + input.DatasetTypes![image] * prefix * _width, prefix * _width);
            if (_classToken.IsTrained) Add(row + prefix * _width, _classToken.Gradient, _width);
        }
    }

    /// <summary>[N, 3, S, S] -> [N * G, 3 * p * p], the order of a convolution's weights.</summary>
    private void CopyPatches(float* images, int count, int size, float* columns)
    {
        var grid = size / _patchSize;
        ParallelLoop.Run(count, image =>
        {
            var target = columns + (long)image * 3 * size * size;
            for (var patch = 0; patch < grid * grid; patch++)
                for (var channel = 0; channel < 3; channel++)
                    for (var y = 0; y < _patchSize; y++)
                    {
                        var source = images + (((long)image * 3 + channel) * size + patch / grid * _patchSize + y) * size + patch % grid * _patchSize;
                        CopyValues(source, target, _patchSize);
                        target += _patchSize;
                    }
        });
    }

    private static void CopyValues(float* source, float* target, int count) => new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(target, count));

    private static void Sum(float* x, float* y, float* target, int count) =>
        System.Numerics.Tensors.TensorPrimitives.Add(new ReadOnlySpan<float>(x, count), new ReadOnlySpan<float>(y, count), new Span<float>(target, count));

    private static void Add(float* source, float* target, int count) => Sum(source, target, target, count);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var weight in new[] { _patches, _classToken, _positions, _prefixes }) weight?.Dispose();
        _firstNorm.Dispose();
        Blocks.Dispose();
    }
}

/// <summary>What the vision tower reads.</summary>
/// <param name="Images">[N, 3, S, S], contiguous.</param>
/// <param name="DatasetTypes">[N], the index of each image's dataset type, or null for no prefix.</param>
internal sealed record VisionInput(Tensor Images, long[]? DatasetTypes);
