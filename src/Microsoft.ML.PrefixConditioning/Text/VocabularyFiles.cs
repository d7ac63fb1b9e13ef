using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A vocabulary as Hugging Face's files: what <see cref="MergesFile"/> reads, for other programs.</summary>
internal static class VocabularyFiles
{
    private const string StartText = "<|startoftext|>", EndText = "<|endoftext|>";   // Hugging Face's names of CLIP's special tokens

    private static readonly JsonWriterOptions Json = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The files by name.</summary>
    /// <param name="merges">The vocabulary.</param>
    /// <param name="contextLength">Maximum length of a text in tokens.</param>
    public static IEnumerable<(string Name, byte[] Content)> Of(BpeMerges merges, int contextLength) =>
    [
        ("vocab.json", SmallFile.Json(Json, json =>
        {
            for (var i = 0; i < merges.Symbols.Count; i++) json.WriteNumber(merges.Symbols[i], i);
            json.WriteNumber(StartText, merges.Symbols.Count);
            json.WriteNumber(EndText, merges.Symbols.Count + 1);
        })),
        ("merges.txt", Encoding.UTF8.GetBytes(
            "#version: 0.2\n" + string.Concat(merges.Pairs.Select(p => $"{merges.Symbols[p.Left]} {merges.Symbols[p.Right]}\n")))),
        ("tokenizer_config.json", SmallFile.Json(Json, json =>
        {
            json.WriteString("tokenizer_class", "CLIPTokenizer");
            json.WriteNumber("model_max_length", contextLength);
            json.WriteBoolean("do_lower_case", true);
            json.WriteBoolean("add_prefix_space", false);
            json.WriteString("errors", "replace");
            WriteSpecialTokens(json);
        })),
        ("special_tokens_map.json", SmallFile.Json(Json, WriteSpecialTokens)),
    ];

    private static void WriteSpecialTokens(Utf8JsonWriter json)
    {
        json.WriteString("bos_token", StartText);
        json.WriteString("eos_token", EndText);
        json.WriteString("pad_token", EndText);
        json.WriteString("unk_token", EndText);
    }
}
