using System.CommandLine;
using Samples;

namespace Quickstart;

/// <summary>What the command line asks for; without data folders the sample draws its own data.</summary>
internal sealed record QuickstartArguments
{
    /// <summary>Folder of class-name folders, or null to draw data.</summary>
    public string? Classification { get; init; }

    /// <summary>Table of images and captions, or null to draw data.</summary>
    public string? Captions { get; init; }

    /// <summary>Folder that the table's image names are relative to; null for the table's own.</summary>
    public string? Images { get; init; }

    /// <summary>Folders of class-name folders to test on.</summary>
    public IReadOnlyList<string> Tests { get; init; } = [];

    /// <summary>Where data, model and report are written.</summary>
    public string Output { get; init; } = "quickstart-out";

    /// <summary>Passes over the data, per model.</summary>
    public int Epochs { get; init; } = 6;

    /// <summary>Rows per step; null lets training adapt it to the data.</summary>
    public int? BatchSize { get; init; }

    /// <summary>Seed of data and training.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Reads the command line and runs the sample with it.</summary>
    /// <returns>The exit code.</returns>
    public static int Run(string[] args, Action<QuickstartArguments> run)
    {
        var classification = new Option<string?>("--classification") { Description = "Folder with one folder of images per class." };
        var captions = new Option<string?>("--captions") { Description = "TSV or CSV file with an image and a caption per row." };
        var images = new Option<string?>("--images") { Description = "Folder that the caption file's image names are relative to." };
        var tests = new Option<string[]>("--test")
        {
            Description = "Test sets: folders with one folder of images per class.",
            AllowMultipleArgumentsPerToken = true
        };
        var output = new Option<string>("--out")
        {
            Description = "Folder for the model and the report.", DefaultValueFactory = _ =>
            "quickstart-out"
        };
        var epochs = new Option<int>("--epochs") { Description = "Epochs to train each model.", DefaultValueFactory = _ => 6 };
        var batch = new Option<int?>("--batch-size")
        {
            Description = "Rows per step. Default: 64 for drawn data, adapted to your own " +
            "data."
        };
        var seed = new Option<int>("--seed")
        {
            Description = "Random seed of the drawn data and of training.", DefaultValueFactory = _ =>
            1
        };
        var command = new RootCommand("Trains a small image-text model on labels and captions, with and without prefix conditioning, and " +
            "compares their zero-shot accuracy. Without data, the sample draws its own.")
        {
            classification, captions, images, tests, output, epochs, batch, seed,
        };
        command.Validators.Add(result =>
        {
            var given = new[] { result.GetValue(classification), result.GetValue(captions) }.Count(v => v is not null)
                + (result.GetValue(tests) is { Length: > 0 } ? 1 : 0);
            if (given is 1 or 2) result.AddError("Give all of --classification, --captions and --test. Without any of them, the sample " +
                "draws its own data.");
        });
        command.SetAction(parsed => UserErrors.Report(() => run(new QuickstartArguments
        {
            Classification = parsed.GetValue(classification), Captions = parsed.GetValue(captions), Images = parsed.GetValue(images),
            Tests = parsed.GetValue(tests) ?? [], Output = parsed.GetValue(output)!, Epochs = parsed.GetValue(epochs),
            BatchSize = parsed.GetValue(batch) ?? (parsed.GetValue(classification) is null ? 64 : null), Seed = parsed.GetValue(seed),
        })));
        return command.Parse(args).Invoke();
    }
}
