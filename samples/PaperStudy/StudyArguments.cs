using System.CommandLine;
using Samples;

namespace PaperStudy;

/// <summary>What the command line asks for.</summary>
internal sealed record StudyArguments
{
    /// <summary>The configuration file.</summary>
    public required string Config { get; init; }

    /// <summary>Where results, report and checkpoints are written; an unfinished study resumes from there.</summary>
    public required string Output { get; init; }

    /// <summary>Folder that the configuration's paths are relative to; null for what it says itself.</summary>
    public string? Data { get; init; }

    /// <summary>When to stop; null to run to the end.</summary>
    public double? Minutes { get; init; }

    /// <summary>Whether the trained models are kept; a cell whose result is deleted is then only scored again.</summary>
    public bool KeepsModels { get; init; }

    /// <summary>Reads the command line and runs the sample with it.</summary>
    /// <returns>The exit code.</returns>
    public static int Run(string[] args, Action<StudyArguments> run)
    {
        var config = new Option<string>("--config") { Description = "JSON file that names data, models and seeds.", Required = true };
        var output = new Option<string>("--out")
        {
            Description = "Folder for the report; an unfinished study resumes from its contents.",
            Required = true
        };
        var data = new Option<string?>("--data")
        {
            Description = "Base folder of the configuration's paths. Default: its \"data\" " +
            "setting."
        };
        var minutes = new Option<double?>("--minutes") { Description = "Stop after that many minutes. The same command resumes." };
        var models = new Option<bool>("--keep-models") { Description = "Keep every trained model as a file in DIR/models." };
        var command = new RootCommand("Trains a grid of models with and without prefix conditioning, and reports their zero-shot accuracy.")
        {
            config, output, data, minutes, models,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(minutes) is <= 0) result.AddError("--minutes must be greater than 0.");
        });
        command.SetAction(parsed => UserErrors.Report(() => run(new StudyArguments
        {
            Config = parsed.GetValue(config)!, Output = parsed.GetValue(output)!, Data = parsed.GetValue(data),
            Minutes = parsed.GetValue(minutes),
            KeepsModels = parsed.GetValue(models),
        })));
        return command.Parse(args).Invoke();
    }
}
