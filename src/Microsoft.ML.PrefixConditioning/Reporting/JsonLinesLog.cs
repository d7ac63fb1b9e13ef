using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Appends a JSON object per line to a file, which is closed after every line.</summary>
/// <param name="path">The file.</param>
/// <param name="steps">Steps from line to line.</param>
internal sealed class JsonLinesLog(string path, int steps) : IProgress<TrainingProgress>
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private bool _isStarted;

    /// <inheritdoc/>
    public void Report(TrainingProgress value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Step % steps != 0 && value.Step != value.TotalSteps && value.ValidationAccuracy is null) return;
        var line = JsonSerializer.SerializeToUtf8Bytes(new
        {
            Time = DateTime.UtcNow, value.Step, value.TotalSteps, value.Epoch, value.TotalEpochs, value.Loss, value.LearningRate,
            value.ImagesPerSecond, SecondsLeft = value.TimeLeft.TotalSeconds, value.ValidationAccuracy,
        }, Json);
        using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        if (!_isStarted && file.Length > 0)
        {
            // A run that was killed may have left a line without its end.
            file.Seek(-1, SeekOrigin.End);
            if (file.ReadByte() != '\n') file.WriteByte((byte)'\n');
        }
        _isStarted = true;
        file.Seek(0, SeekOrigin.End);
        file.Write([.. line, (byte)'\n']);
    }
}
