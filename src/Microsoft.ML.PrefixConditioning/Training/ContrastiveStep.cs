using System.Globalization;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One training step: a batch's loss, its gradients, the optimizer's update.</summary>
/// <remarks>
/// First the loss gives the embeddings' gradients; then each tower is back-propagated from them. With
/// <see cref="PrefixClipOptions.ChunkSize"/>, each tower encodes the batch in chunks, twice: first for the loss, then for the backward
/// pass. Only one chunk's intermediate results are in memory at a time ("Scaling Deep Contrastive Learning Batch Size under Memory Limited
/// Setup", arXiv 2101.06983). N rows, U distinct texts, D embedding size, S image size.
/// </remarks>
/// <param name="model">What is trained.</param>
/// <param name="optimizer">Updates the weights; its step count is the position in the run.</param>
/// <param name="options">The run's options.</param>
/// <param name="seed">The run's seed.</param>
/// <param name="ranks">The ranks that share the batch; null for this process alone.</param>
internal sealed class ContrastiveStep(
    ClipModel model, ClipOptimizer optimizer, PrefixClipOptions options, ulong seed = 0, Ranks? ranks = null) : IDisposable
{
    private readonly DroppedBranches _dropped = new(model.Vision.BranchRates, seed);
    private readonly Ranks _ranks = ranks ?? new(null);
    private readonly SharedGradients? _gradients = ranks is { Count: > 1 } ? new(model, ranks) : null;

    /// <summary>Trains on one batch.</summary>
    /// <returns>The loss before the update.</returns>
    /// <exception cref="InvalidOperationException">The loss is not a number.</exception>
    public double Run(TrainingBatch batch, double learningRate)
    {
        var loss = Backward(batch);
        if (!double.IsFinite(loss))
            throw LossAdvice.Diverged(options, string.Create(CultureInfo.InvariantCulture,
                $"The loss of step {optimizer.StepCount + 1} is {loss} at learning rate {learningRate:g3}; training cannot go on."));
        optimizer.Step(learningRate);
        return loss;
    }

    /// <summary>Adds a batch's gradients to the weights, on every rank those of the whole batch.</summary>
    /// <returns>The loss.</returns>
    internal double Backward(TrainingBatch batch)
    {
        using var scope = NewDisposeScope();
        var (rows, distinct) = (batch.Rows.Length, batch.Texts.Tokens.Count);                                             // N, U
        var (ownRows, ownTexts) = (_ranks.PartOf(rows), _ranks.PartOf(distinct));
        NativeHeap.UseLargePages();
        _gradients?.Attach(batch.Texts.Tokens.Ids);
        using var images = new ChunkedPass(model, ownRows.Count, options.ChunkSize, (first, count) => model.EncodeImages(
            Pixels(batch, first, count), batch.DatasetTypes.AsSpan(ownRows.First + first, count).ToArray(),
                _dropped.Factors(optimizer.StepCount, ownRows.First + first, count, model.Device)));
        using var texts = new ChunkedPass(model, ownTexts.Count, options.ChunkSize, (first, count) => model.EncodeTexts(
            batch.Texts.Tokens.Part(ownTexts.First + first, count),
                batch.Texts.DatasetTypes.AsSpan(ownTexts.First + first, count).ToArray()));

        _ranks.Check();
        var imageEmbeddings = _ranks.Gather(images.Embeddings, rows).requires_grad_(true);                                // [N, D]
        var textEmbeddings = _ranks.Gather(texts.Embeddings, distinct).requires_grad_(true);                              // [U, D]
        try
        {
            var loss = Loss(imageEmbeddings, textEmbeddings.index_select(0, tensor(batch.Texts.TextOfRow, device: model.Device)), batch);
            loss.backward();
            Backward(images, imageEmbeddings.grad!.narrow(0, ownRows.First, ownRows.Count), TrainableParts.Vision, model.Vision.Stack);
            Backward(texts, textEmbeddings.grad!.narrow(0, ownTexts.First, ownTexts.Count), TrainableParts.Text, model.Text.Stack);
            if (_gradients is null) return loss.Number();
            if (!_ranks.IsFirst)   // every rank has those of the whole batch
            {
                model.LogitScale.grad?.zero_();
                model.LogitBias?.grad?.zero_();
            }
            var ofFirst = _gradients.Sum(loss.Number());
            _ranks.Check();
            return ofFirst;
        }
        catch (Exception fault) when (_gradients is not null && !_ranks.Knows(fault))
        {
            _gradients.Sum(double.NaN);   // the other ranks wait for it before they learn of the fault
            throw;
        }
    }

    /// <summary>Goes back through a tower; what it completes is summed meanwhile.</summary>
    private void Backward(ChunkedPass pass, Tensor gradient, TrainableParts tower, TransformerStack? stack)
    {
        pass.Backward(gradient, stack, layer => _gradients?.Complete(tower, layer));
        _gradients?.Complete(tower, layer: 0);
    }

    /// <summary>[count, 3, S, S] of this rank's part of the batch.</summary>
    private Tensor Pixels(TrainingBatch batch, int first, int count)
    {
        var size = model.Shape.Architecture.ImageSize;
        var length = 3 * size * size;
        return PixelBatch.ToTensor(batch.Pixels.AsSpan(first * length, count * length), count, size, model.Device);
    }

    /// <inheritdoc/>
    public void Dispose() => _gradients?.Dispose();

    private Tensor Loss(Tensor images, Tensor texts, TrainingBatch batch)
    {
        var scale = model.LogitScale.exp();
        return options.Loss switch
        {
            LossFunction.Clip => ContrastiveLoss.Clip(images, texts, scale),
            LossFunction.UniCl => ContrastiveLoss.UniCl(images, texts, scale, tensor(batch.Labels, device: model.Device)),
            LossFunction.SigLip => ContrastiveLoss.SigLip(images, texts, scale, model.LogitBias!),
            var other => throw new NotSupportedException($"Nothing computes the loss {other}: add it to {nameof(ContrastiveStep)}."),
        };
    }
}
