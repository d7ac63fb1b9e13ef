using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Merges and ids of Hugging Face's <c>tokenizer.json</c>, where it describes a CLIP tokenizer.</summary>
/// <remarks>
/// Source: the format of Hugging Face's tokenizers: "model" with the type BPE, "vocab" and "merges", which are texts of two symbols or
/// pairs of them. The normalizer must make texts lower-case; the rest of it, and the pre-tokenizer, are CLIP's own and not read.
/// </remarks>
internal static class TokenizerJson
{
    /// <summary>The merges in order, and the ids of all symbols.</summary>
    /// <exception cref="InvalidDataException">The file is something else.</exception>
    public static (List<(string Left, string Right)> Merges, Dictionary<string, int> Ids) Read(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var model = document.RootElement.GetProperty("model");
            var suffix = model.TryGetProperty("end_of_word_suffix", out var end) ? end.GetString() : null;
            if (model.GetProperty("type").GetString() is not "BPE" || suffix != BpeMerges.WordEnd)
                throw new InvalidDataException($"its model is not byte-pair encoding with words that end in '{BpeMerges.WordEnd}'.");
            if (document.RootElement.TryGetProperty("normalizer", out var normalizer)
                && !normalizer.GetRawText().Contains("\"Lowercase\"", StringComparison.Ordinal))
                throw new InvalidDataException("its normalizer does not make texts lower-case, as CLIP's does.");
            if (model.TryGetProperty("ignore_merges", out var ignored) && ignored.ValueKind == JsonValueKind.True)
                throw new InvalidDataException("its \"ignore_merges\" is true, which is not supported; only false is.");
            var ids = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var property in model.GetProperty("vocab").EnumerateObject()) ids[property.Name] = property.Value.GetInt32();
            if (document.RootElement.TryGetProperty("added_tokens", out var added))
                foreach (var token in added.EnumerateArray()) ids.TryAdd(token.GetProperty("content").GetString() ?? "",
                    token.GetProperty("id").GetInt32());
            return ([.. model.GetProperty("merges").EnumerateArray().Select(MergeOf)], ids);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new InvalidDataException($"it cannot be read ({e.Message}).", e);
        }
    }

    private static (string Left, string Right) MergeOf(JsonElement merge)
    {
        var parts = merge.ValueKind == JsonValueKind.Array ? [.. merge.EnumerateArray().Select(p => p.GetString() ?? "")]
            : (merge.GetString() ?? "").Split(' ');
        return parts.Length == 2 ? (parts[0], parts[1]) : throw new InvalidDataException($"its merge {merge.GetRawText()} is not two " +
            "symbols.");
    }
}
