using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.PrefixConditioning;
using Samples;

namespace FineTune;

/// <summary>A small model and data to try the sample with: nothing is downloaded.</summary>
internal static class DrawnClip
{
    // Enough to be well above chance, little enough for a minute on two cores.
    private const int PublishedPictures = 6400;
    private const int PublishedEpochs = 4;

    /// <summary>Trains a plain CLIP on drawings with captions, saves it as others publish theirs, and draws data to fine-tune it.</summary>
    /// <returns>The arguments with the paths of both.</returns>
    public static FineTuneArguments Make(MLContext mlContext, FineTuneArguments arguments)
    {
        // Other pictures than yours: another seed.
        var theirs = Draw("Drawing a published model's pictures", arguments.Output, "published-data", arguments.Seed + 1,
            new DrawnDatasetSizes(LabeledPerClass: 0, PublishedPictures, TestPerClass: 0, UnseenPerClass: 0));
        var clip = Path.Combine(arguments.Output, "published-clip");
        Publish(mlContext, theirs, clip, arguments.Seed);

        var yours = Draw("Drawing your pictures", arguments.Output, "data", arguments.Seed,
            new DrawnDatasetSizes(LabeledPerClass: 50, Captioned: 1600, TestPerClass: 15, UnseenPerClass: 24));
        return arguments with
        {
            Clip = clip,
            Labeled = yours.Classification,
            Captions = yours.CaptionTable,
            Images = yours.CaptionImages,
            Tests = [.. yours.Tests.Select(test => test.Folder)],
            Descriptions = yours.Tests.ToDictionary(test => test.Folder, test => test.Description),
            // A model of this size, trained for a minute, still has much to learn.
            LearningRate = arguments.LearningRate ?? (arguments.Train == "all" ? 3e-4 : null),
        };
    }

    private static DrawnDatasetPaths Draw(string title, string output, string name, int seed, DrawnDatasetSizes sizes)
    {
        var bar = new ProgressBar(title);
        return DrawnDataset.Write(Path.Combine(output, name), seed, sizes, share => bar.Show(share));
    }

    private static void Publish(MLContext mlContext, DrawnDatasetPaths pictures, string folder, int seed)
    {
        using var model = mlContext.Transforms.PrefixClip(new PrefixClipOptions
        {
            Architecture = ClipArchitecture.Tiny with { ImageSize = 32 },
            PrefixLength = 0,
            BatchSize = 64,
            Epochs = PublishedEpochs,
            LearningRate = 1e-3,
            Optimizer = new() { WeightDecay = 0.1 },
            Augmentation = new() { MinCropScale = 0.7 },
            Seed = seed,
            Progress = TrainingMonitor.Bar("Training a model to publish"),
        }).Fit(mlContext.Data.LoadImageCaptions(pictures.CaptionTable, pictures.CaptionImages));
        model.SaveSafetensors(folder);
        var parameters = model.ParameterCount.ToString("N0", CultureInfo.InvariantCulture);
        Console.WriteLine($"Saved a small CLIP model of {parameters} parameters to {folder}.");
    }
}
