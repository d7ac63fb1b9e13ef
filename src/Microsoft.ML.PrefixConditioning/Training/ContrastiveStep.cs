using System.Globalization;
using TorchSharp;
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
internal sealed class ContrastiveStep(ClipModel model, ClipOptimizer optimizer, PrefixClipOptions options, ulong seed = 0)
{
    private readonly DroppedBranches _dropped = new(model.Shape.Architecture.Swin, seed);

    /// <summary>Trains on one batch.</summary>
    /// <returns>The loss before the update.</returns>
    /// <exception cref="InvalidOperationException">The loss is not a number.</exception>
    public double Run(TrainingBatch batch, double learningRate)
    {
        var loss = Backward(batch);
        if (!double.IsFinite(loss))
            throw Diverged(options, string.Create(CultureInfo.InvariantCulture,
                $"The loss of step {optimizer.StepCount + 1} is {loss} at learning rate {learningRate:g3}; training cannot go on."));
        optimizer.Step(learningRate);
        return loss;
    }

    /// <summary>The error for training that diverged.</summary>
    public static InvalidOperationException Diverged(PrefixClipOptions options, string what) => new(string.Create(
        CultureInfo.InvariantCulture,
        $"{what} Lower {nameof(PrefixClipOptions.LearningRate)} (now {options.LearningRate:g3}), ") +
        "lengthen Optimizer.WarmupSteps, or set Optimizer.GradientClipNorm to 1.");

    /// <summary>Adds a batch's gradients to the weights.</summary>
    /// <returns>The loss.</returns>
    internal double Backward(TrainingBatch batch)
    {
        using var scope = NewDisposeScope();
        using var images = new ChunkedPass(model, batch.Rows.Length, options.ChunkSize, (first, count) => model.EncodeImages(
            Pixels(batch, first, count), batch.DatasetTypes[first..(first + count)],
                _dropped.Factors(optimizer.StepCount, first, count, model.Device)));
        using var texts = new ChunkedPass(model, batch.Texts.Tokens.Count, options.ChunkSize, (first, count) => model.EncodeTexts(
            batch.Texts.Tokens.Part(first, count), batch.Texts.DatasetTypes[first..(first + count)]));

        var imageEmbeddings = images.Embeddings.detach().requires_grad_(true);                                            // [N, D]
        var textEmbeddings = texts.Embeddings.detach().requires_grad_(true);                                              // [U, D]
        var loss = Loss(imageEmbeddings, textEmbeddings.index_select(0, tensor(batch.Texts.TextOfRow, device: model.Device)), batch);
        loss.backward();
        images.Backward(imageEmbeddings.grad!);
        texts.Backward(textEmbeddings.grad!);
        return loss.ToDouble();
    }

    /// <summary>[count, 3, S, S].</summary>
    private Tensor Pixels(TrainingBatch batch, int first, int count)
    {
        var size = model.Shape.Architecture.ImageSize;
        var length = 3 * size * size;
        return PixelBatch.ToTensor(batch.Pixels.AsSpan(first * length, count * length), count, size, model.Device);
    }

    private Tensor Loss(Tensor images, Tensor texts, TrainingBatch batch)
    {
        var scale = model.LogitScale.exp();
        return options.Loss switch
        {
            LossFunction.Clip => ContrastiveLoss.Clip(images, texts, scale),
            LossFunction.UniCl => ContrastiveLoss.UniCl(images, texts, scale, tensor(batch.Labels, device: model.Device)),
            var other => throw new NotSupportedException($"Nothing computes the loss {other}: add it to {nameof(ContrastiveStep)}."),
        };
    }
}
