namespace Microsoft.ML.PrefixConditioning;

/// <summary>The check of Hugging Face's tokenizer_config.json, which lies beside a vocabulary.</summary>
internal static class TokenizerSettings
{
    private const string Name = "tokenizer_config.json";

    /// <summary>Refuses settings that would give other token ids than the tokenizer here.</summary>
    /// <param name="place">A folder with a vocabulary, or the vocabulary's file.</param>
    /// <param name="contextLength">Where texts are cut.</param>
    /// <returns>A line for the log: settings that are not known; null without such settings.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or asks for another tokenizer.</exception>
    public static string? Check(string place, int contextLength)
    {
        var path = Path.Combine(Directory.Exists(place) ? place : Path.GetDirectoryName(Path.GetFullPath(place))!, Name);
        if (!File.Exists(path)) return null;
        var settings = ConfigSection.Read(path).Check(ConfigKeys.Tokenizer);
        RequireToken(settings, "bos_token", ClipWords.StartText, "<|startoftext|>");
        RequireToken(settings, "eos_token", ClipWords.EndText, "<|endoftext|>");
        if (settings.Number("model_max_length") is { } longest && longest < contextLength)   // "no limit" is written as 1e30
            throw settings.Fault("model_max_length", FormattableString.Invariant(
                $"texts are cut at the model's context length here, which is {contextLength}. Set it to that."));
        return settings.Warning;
    }

    /// <summary>A special token is written as text, or as an object with "content".</summary>
    private static void RequireToken(ConfigSection settings, string name, params string[] expected)
    {
        var token = settings.IsObject(name) ? settings.Section(name)!.Text("content") : settings.Text(name);
        if (token is not null && !expected.Contains(token, StringComparer.Ordinal))
            throw settings.Fault(name, $"\"{expected[1]}\" is expected, as in CLIP's vocabulary.");
    }
}
