namespace Microsoft.ML.PrefixConditioning;

/// <summary>State of a training run after one step.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="TotalSteps">Steps of the whole run.</param>
/// <param name="Epoch">Epoch that the step belongs to, from 1.</param>
/// <param name="TotalEpochs">Epochs of the whole run.</param>
/// <param name="Loss">Loss of this batch, before the update.</param>
/// <param name="LearningRate">Learning rate of this step.</param>
/// <param name="ImagesPerSecond">Images trained per second, over the last steps.</param>
/// <param name="TimeLeft">Estimated time until the run ends.</param>
/// <param name="ValidationAccuracy">Zero-shot accuracy on the validation set, 0 to 1, after the last step of an epoch; otherwise
/// null.</param>
public sealed record TrainingProgress(
    int Step, int TotalSteps, int Epoch, int TotalEpochs, double Loss, double LearningRate,
    double ImagesPerSecond, TimeSpan TimeLeft, double? ValidationAccuracy);
