using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads merges from the files in which CLIP's vocabulary is distributed.</summary>
/// <remarks>
/// CLIP's own: one merge a line after a header, gzipped or not; of its 262,146 lines only the first 48,894 merges are used.
/// Hugging Face's: <c>merges.txt</c>, all lines used, beside <c>vocab.json</c>, which must give the ids that follow from the merges; or
/// <c>tokenizer.json</c> with both in one.
/// </remarks>
internal static class MergesFile
{
    private const int ClipMerges = 48_894;   // 49,152 - 256 - 2 in the reference
    private const long MaxFileBytes = 64L << 20;   // CLIP's file has 1.4 MB packed and 3.2 MB unpacked
    private const string ClipName = "bpe_simple_vocab_16e6.txt.gz";
    private const string MergesName = "merges.txt";
    private const string VocabularyName = "vocab.json";
    private const string TokenizerName = "tokenizer.json";
    private const string Expected =
        $"Expected CLIP's '{ClipName}' (or the unpacked .txt), or a folder with Hugging Face's '{VocabularyName}' and '{MergesName}'.";
    private const string UnpackedName = "bpe_simple_vocab_16e6.txt";

    private static readonly string[] StartTexts = [ClipWords.StartText, "<|startoftext|>"];
    private static readonly string[] EndTexts = [ClipWords.EndText, "<|endoftext|>"];

    /// <summary>Reads a file, or the files of a folder.</summary>
    /// <exception cref="FileNotFoundException">There is no such file, or the folder lacks one.</exception>
    /// <exception cref="InvalidDataException">The content is not what is expected.</exception>
    public static BpeMerges Read(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (Directory.Exists(path)) return ReadFolder(path);
        if (!File.Exists(path))
            throw new FileNotFoundException(
                $"There is no vocabulary file '{path}'. {Expected} Download one of them, or correct the path.", path);
        var name = Path.GetFileName(path);
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (name == TokenizerName) return ReadTokenizer(path);
        if (name == VocabularyName || (name == MergesName && File.Exists(Path.Combine(folder, VocabularyName)))) return ReadFolder(folder);
        return Parse(path, name == MergesName ? int.MaxValue : ClipMerges);
    }

    private static BpeMerges ReadFolder(string folder)
    {
        var vocabulary = Path.Combine(folder, VocabularyName);
        var merges = Path.Combine(folder, MergesName);
        var clip = Path.Combine(folder, ClipName);
        if (!File.Exists(vocabulary) || !File.Exists(merges))
        {
            if (Path.Combine(folder, TokenizerName) is var tokenizer && File.Exists(tokenizer)) return ReadTokenizer(tokenizer);
            if (!File.Exists(clip)) clip = Path.Combine(folder, UnpackedName);
            if (!File.Exists(vocabulary) && !File.Exists(merges) && File.Exists(clip)) return Parse(clip, ClipMerges);
        }
        foreach (var file in new[] { vocabulary, merges })
            if (!File.Exists(file))
                throw new FileNotFoundException($"The folder '{folder}' has no '{Path.GetFileName(file)}'. {Expected}", file);
        var result = Parse(merges, int.MaxValue);
        CheckIds(vocabulary, ReadIds(vocabulary), result);
        return result;
    }

    private static BpeMerges ReadTokenizer(string path)
    {
        try
        {
            var (merges, ids) = TokenizerJson.Read(SmallFile.Read(path, MaxFileBytes));
            var result = BpeMerges.FromSymbols(merges);
            CheckIds(path, ids, result);
            return result;
        }
        catch (InvalidDataException e) when (!e.Message.Contains(path, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"'{path}' is no tokenizer of CLIP: {e.Message}", e);
        }
    }

    private static BpeMerges Parse(string path, int limit)
    {
        try
        {
            return BpeMerges.FromSymbols(Merges(path, ReadText(path), limit));
        }
        catch (InvalidDataException e) when (!e.Message.Contains(path, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"'{path}': {e.Message}", e);
        }
    }

    private static List<(string Left, string Right)> Merges(string path, string text, int limit)
    {
        var merges = new List<(string Left, string Right)>();
        var lines = text.Split('\n');
        for (var i = 0; i < lines.Length && merges.Count < limit; i++)
        {
            var line = lines[i].TrimEnd('\r');
            if ((i == 0 && line.Contains("#version", StringComparison.Ordinal)) || (line.Length == 0 && i == lines.Length - 1)) continue;
            var parts = line.Split(' ');
            if (parts.Length != 2 || parts[0].Length == 0 || parts[1].Length == 0)
                throw new InvalidDataException(
                    $"'{path}' is no merges file: line {i + 1} is '{Shorten(line)}', but a merge is two symbols with one space between. "
                    + Expected);
            merges.Add((parts[0], parts[1]));
        }
        // A learned vocabulary of single bytes has Hugging Face's header and nothing else.
        return merges.Count > 0 || (limit > ClipMerges && lines[0].Contains("#version", StringComparison.Ordinal))
            ? merges : throw new InvalidDataException($"'{path}' holds no merges. {Expected}");
    }

    private static string ReadText(string path)
    {
        try
        {
            var bytes = SmallFile.Read(path, MaxFileBytes);
            if (bytes is [0x1F, 0x8B, ..]) bytes = Unpack(path, bytes);   // gzip, whatever the name says
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(bytes).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException($"'{path}' is no merges file: it is not UTF-8 text. {Expected}", e);
        }
    }

    private static byte[] Unpack(string path, byte[] packed)
    {
        using var unpacked = new MemoryStream();
        try
        {
            using var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
            var buffer = new byte[1 << 16];
            for (int read; (read = gzip.Read(buffer)) > 0;)
            {
                unpacked.Write(buffer, 0, read);
                if (unpacked.Length > MaxFileBytes)
                    throw new InvalidDataException($"'{path}' unpacks to more than {MaxFileBytes >> 20} MB; it is no vocabulary.");
            }
        }
        catch (InvalidDataException e) when (!e.Message.Contains(path, StringComparison.Ordinal))
        {
            throw Damaged(path, packed.Length, e);
        }
        // The stream may end without an error where the file was cut; gzip's last four bytes are the unpacked length.
        var length = packed.Length < 18 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(packed.AsSpan(packed.Length - 4));
        return length > 0 && length == unpacked.Length ? unpacked.ToArray() : throw Damaged(path, packed.Length, null);
    }

    private static InvalidDataException Damaged(string path, int length, Exception? inner) => new(
        $"'{path}' ({length} bytes) cannot be unpacked: it is damaged or was not downloaded completely. Download it again.", inner);

    // Ids of another layout would silently pick other rows of the weights.
    private static void CheckIds(string path, Dictionary<string, int> ids, BpeMerges merges)
    {
        var symbols = merges.Symbols;
        for (var i = 0; i < symbols.Count; i++)
            if (!ids.TryGetValue(symbols[i], out var id) || id != i)
                throw Mismatch($"'{symbols[i]}' has {(ids.ContainsKey(symbols[i]) ? $"id {id}" : "no id")}, the merges give it id {i}");
        if (!StartTexts.Any(text => ids.TryGetValue(text, out var id) && id == symbols.Count))
            throw Mismatch($"no start token ({string.Join(" or ", StartTexts)}) has id {symbols.Count}");
        if (!EndTexts.Any(text => ids.TryGetValue(text, out var id) && id == symbols.Count + 1))
            throw Mismatch($"no end token ({string.Join(" or ", EndTexts)}) has id {symbols.Count + 1}");
        if (ids.Count != symbols.Count + 2)
            throw Mismatch($"it has {ids.Count} entries, the merges give {symbols.Count + 2}");

        InvalidDataException Mismatch(string what) => new(
            $"'{path}' does not fit {(Path.GetFileName(path) == TokenizerName ? "its own merges" : $"'{MergesName}' beside it")}: " +
            $"{what}. Both files must belong to one CLIP tokenizer.");
    }

    private static Dictionary<string, int> ReadIds(string path)
    {
        try
        {
            using var stream = new MemoryStream(SmallFile.Read(path, MaxFileBytes));   // a stream may begin with a byte-order mark
            using var document = JsonDocument.Parse(stream);
            var ids = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var property in document.RootElement.EnumerateObject()) ids[property.Name] = property.Value.GetInt32();
            return ids;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"'{path}' is no vocabulary: expected a JSON object of symbols and their ids ({e.Message}).", e);
        }
    }

    private static string Shorten(string line) => line.Length <= 40 ? line : line[..40] + "...";
}
