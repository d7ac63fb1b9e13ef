using Microsoft.ML.PrefixConditioning;

namespace Samples;

/// <summary>Shows training on a progress bar, on the calling thread, so that lines come in order.</summary>
internal sealed class TrainingBar(ProgressBar bar) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value) => bar.ShowTraining(
        value.Step, value.TotalSteps, value.Epoch, value.TotalEpochs,
        value.Loss, value.LearningRate, value.ImagesPerSecond, value.TimeLeft);
}
