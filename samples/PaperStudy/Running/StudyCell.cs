using System.Security.Cryptography;
using System.Text;

namespace PaperStudy;

/// <summary>One model to train: a way, a loss and a seed.</summary>
/// <param name="Model">The way.</param>
/// <param name="Training">Its settings.</param>
/// <param name="Loss">"CLIP" or "UniCL", as the tables name it.</param>
/// <param name="TrainedLoss">The loss that it is trained with: without class names UniCL is CLIP, and one model serves both.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Key">Hash of all that the result depends on; cells with the same key are the same model.</param>
internal sealed record StudyCell(ModelConfig Model, TrainingConfig Training, string Loss, string TrainedLoss, int Seed, string Key)
{
    private const string OfCaptions = "CLIP";

    /// <summary>Name of its files: readable, and another one for other settings.</summary>
    public string FileName { get; } = $"{Slug(Model.Name)}.{TrainedLoss.ToLowerInvariant()}.seed{Seed}.{Key[..8]}";

    /// <summary>All cells of a study: seed by seed, so that an unfinished study has whole pairs.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="data">Hash of its data.</param>
    public static IReadOnlyList<StudyCell> All(StudyConfig config, string data)
    {
        var cells = new List<StudyCell>();
        foreach (var seed in config.Seeds)
            foreach (var loss in config.Losses)
                foreach (var model in config.Models)
                {
                    if (model.Losses?.Contains(loss) == false || model.Seeds?.Contains(seed) == false) continue;
                    var hasLabels = config.Sources.Any(s => !s.HasCaptions && s.IsPartOf(model.Data));
                    var trained = hasLabels ? loss : OfCaptions;
                    var settings = string.Join('\n', data, StudyConfigFile.Write(config.Sources), StudyConfigFile.Write(config.Tests),
                        StudyConfigFile.Write(config.ValidationShare), model.Data, TrainingConfig.Merged(config, model).ToJsonString(),
                            trained, seed);
                    var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(settings)));
                    cells.Add(new StudyCell(model, TrainingConfig.Of(config, model), loss, trained, seed, key));
                }
        return cells;
    }

    /// <summary>The test-time prefix of the main table.</summary>
    public static string ReportedPrefix(StudyConfig config, ModelConfig model)
    {
        if (model.Prefix is { } prefix) return PrefixNamed(prefix);
        if (!TrainingConfig.Of(config, model).IsConditioned) return StudyScores.NoPrefix;
        return CaptionPrefix(config, model) ?? config.Sources.First(s => s.IsPartOf(model.Data)).Type;
    }

    /// <summary>The type of the first captions that a model trains on, or null.</summary>
    public static string? CaptionPrefix(StudyConfig config, ModelConfig model) =>
        config.Sources.FirstOrDefault(s => s.HasCaptions && s.IsPartOf(model.Data))?.Type;

    /// <summary>A prefix as results name it: "auto" is what the package's default criterion chose.</summary>
    public static string PrefixNamed(string prefix) => prefix == "auto" ? StudyScores.AutoPrefix : prefix;

    private static string Slug(string name) =>
        string.Join('-', new string([.. name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : ' ')]).Split(' ',
            StringSplitOptions.RemoveEmptyEntries));
}
