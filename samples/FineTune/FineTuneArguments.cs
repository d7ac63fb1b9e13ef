using System.CommandLine;
using Microsoft.ML.PrefixConditioning;
using Samples;

namespace FineTune;

/// <summary>What the command line asks for; without a model and data the sample makes its own.</summary>
internal sealed record FineTuneArguments
{
    private const double PrefixRate = 1e-3;

    /// <summary>Folder or weight file of a published CLIP model, or null to train a small one on drawn pictures.</summary>
    public string? Clip { get; init; }

    /// <summary>Folder of class-name folders, or null to draw data.</summary>
    public string? Labeled { get; init; }

    /// <summary>Table of images and captions, or null to draw data.</summary>
    public string? Captions { get; init; }

    /// <summary>Folder that the table's image names are relative to; null for the table's own.</summary>
    public string? Images { get; init; }

    /// <summary>Folders of class-name folders to test on; the first one's classes are those of the exported classifier.</summary>
    public IReadOnlyList<string> Tests { get; init; } = [];

    /// <summary>One sentence about each test set, by its folder; empty for the user's own.</summary>
    public IReadOnlyDictionary<string, string> Descriptions { get; init; } = new Dictionary<string, string>();

    /// <summary>Where models and report are written.</summary>
    public string Output { get; init; } = "finetune-out";

    /// <summary>What learns: all, prefixes or projections.</summary>
    public string Train { get; init; } = "all";

    /// <summary>Passes over the data.</summary>
    public int Epochs { get; init; } = 3;

    /// <summary>Rows per step.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>Peak learning rate, or null for one that suits what learns.</summary>
    public double? LearningRate { get; init; }

    /// <summary>Test-time prefix of the exported classifier: caption, classification, blend or none.</summary>
    public string Prefix { get; init; } = "caption";

    /// <summary>Seed of drawn data and training.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Test-time prefixes that the report compares, by their names on the command line.</summary>
    public static IReadOnlyDictionary<string, PrefixSelection> Prefixes { get; } = new Dictionary<string, PrefixSelection>
    {
        ["caption"] = PrefixSelection.For("caption"),
        ["classification"] = PrefixSelection.For("classification"),
        ["blend"] = PrefixSelection.Blend(("caption", 1), ("classification", 1)),
        ["none"] = PrefixSelection.None,
    };

    /// <summary>What learns, as the library names it.</summary>
    public TrainableParts Parts => Train switch
    {
        "prefixes" => TrainableParts.Prefixes,
        "projections" => TrainableParts.Projections | TrainableParts.Prefixes | TrainableParts.LogitScale,
        _ => TrainableParts.All,
    };

    /// <summary>Rate of the weights that the model came with, and the prefixes' rate over it: new prefixes need a higher one.</summary>
    public (double Rate, double PrefixFactor) Rates
    {
        get
        {
            var rate = LearningRate ?? Train switch { "prefixes" => PrefixRate, "projections" => 1e-4, _ => 1e-5 };
            return (rate, Train == "prefixes" ? 1 : Math.Max(1, PrefixRate / rate));
        }
    }

    /// <summary>Reads the command line and runs the sample with it.</summary>
    /// <returns>The exit code.</returns>
    public static int Run(string[] args, Action<FineTuneArguments> run)
    {
        var clip = new Option<string?>("--clip") { Description = "Folder of a published CLIP model." };
        var labeled = new Option<string?>("--labeled") { Description = "Folder with one folder of images per class." };
        var captions = new Option<string?>("--captions") { Description = "TSV or CSV file with an image and a caption per row." };
        var images = new Option<string?>("--images") { Description = "Folder that the captions' image names are relative to." };
        var tests = new Option<string[]>("--test")
        {
            Description = "Test sets: folders with one folder of images per class. The exported classifier has the classes of the first.",
            AllowMultipleArgumentsPerToken = true,
        };
        var output = new Option<string>("--out") { Description = "Output folder.", DefaultValueFactory = _ => "finetune-out" };
        var train = new Option<string>("--train") { Description = "What to train.", DefaultValueFactory = _ => "all" };
        var epochs = new Option<int>("--epochs") { Description = "Epochs to train.", DefaultValueFactory = _ => 3 };
        var batch = new Option<int>("--batch-size") { Description = "Rows per step.", DefaultValueFactory = _ => 32 };
        var rate = new Option<double?>("--learning-rate")
        {
            Description = "Peak learning rate. Default: 1e-5 for all, 1e-4 for projections, 1e-3 for prefixes.",
        };
        var prefix = new Option<string>("--prefix")
        {
            Description = "Prefix of the exported classifier.", DefaultValueFactory = _ =>
            "caption"
        };
        var seed = new Option<int>("--seed")
        {
            Description = "Random seed of the drawn data and of training.", DefaultValueFactory = _ =>
            1
        };
        train.AcceptOnlyFromAmong("all", "prefixes", "projections");
        prefix.AcceptOnlyFromAmong([.. Prefixes.Keys]);
        var command = new RootCommand(
            "Fine-tunes a published CLIP model with prefixes on labels and captions, scores it, and exports it as ONNX. "
            + "Without a model and data, the sample makes its own.")
        {
            clip, labeled, captions, images, tests, output, train, epochs, batch, rate, prefix, seed,
        };
        command.Validators.Add(result =>
        {
            var given = new[] { clip, labeled, captions }.Count(option => result.GetValue(option) is not null);
            if (result.GetValue(tests) is { Length: > 0 }) given++;
            if (given is > 0 and < 4)
                result.AddError(
                    "Give all of --clip, --labeled, --captions and --test. "
                    + "Without any of them, the sample makes its own model and data.");
        });
        command.SetAction(parsed => UserErrors.Report(() => run(new FineTuneArguments
        {
            Clip = parsed.GetValue(clip), Labeled = parsed.GetValue(labeled),
            Captions = parsed.GetValue(captions), Images = parsed.GetValue(images),
            Tests = parsed.GetValue(tests) ?? [], Output = parsed.GetValue(output)!,
            Train = parsed.GetValue(train)!, Epochs = parsed.GetValue(epochs), BatchSize = parsed.GetValue(batch),
            LearningRate = parsed.GetValue(rate), Prefix = parsed.GetValue(prefix)!, Seed = parsed.GetValue(seed),
        })));
        return command.Parse(args).Invoke();
    }
}
