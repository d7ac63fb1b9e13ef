using System.Security.Cryptography;
using System.Text;

namespace PaperStudy;

/// <summary>One model to train: a way, a loss and a seed.</summary>
internal sealed record StudyCell(ModelConfig Model, TrainingConfig Training, string Loss, int Seed, string Key)
{
    /// <summary>Name of its files: readable, and another one for other settings.</summary>
    public string FileName { get; } = $"{Slug(Model.Name)}.{Loss.ToLowerInvariant()}.seed{Seed}.{Key[..8]}";

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
                    var settings = string.Join('\n', data, StudyConfigFile.Write(config.Sources), StudyConfigFile.Write(config.Tests),
                        StudyConfigFile.Write(config.ValidationShare), model.Data, TrainingConfig.Merged(config, model).ToJsonString(), loss, seed);
                    var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(settings)));
                    cells.Add(new StudyCell(model, TrainingConfig.Of(config, model), loss, seed, key));
                }
        return cells;
    }

    /// <summary>The test-time prefix of the main table.</summary>
    public static string ReportedPrefix(StudyConfig config, ModelConfig model) => model.Prefix
        ?? (TrainingConfig.Of(config, model).PrefixLength == 0 ? "none"
            : config.Sources.FirstOrDefault(s => s.HasCaptions && model.Data is "both" or "captions")?.Type ?? config.Sources[0].Type);

    private static string Slug(string name) =>
        string.Join('-', new string([.. name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : ' ')]).Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
