using TorchSharp.Modules;
using static TorchSharp.torch.utils;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Writes TensorBoard event files through TorchSharp's writer, which opens its file for each value.</summary>
internal sealed class TensorBoardLog(string folder) : IProgress<TrainingProgress>
{
    private SummaryWriter? _writer;

    /// <inheritdoc/>
    public void Report(TrainingProgress value)
    {
        _writer ??= tensorboard.SummaryWriter(folder);   // at the first step, when TorchSharp's native library is loaded
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        void Add(string tag, double scalar) => _writer.add_scalar(tag, (float)scalar, value.Step, now);
        Add("train/loss", value.Loss);
        Add("train/learning_rate", value.LearningRate);
        Add("train/images_per_second", value.ImagesPerSecond);
        if (value.ValidationAccuracy is { } accuracy) Add("validation/accuracy", accuracy);
    }
}
