using System.Text.RegularExpressions;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Finds the files of a pretrained model in a folder and recognizes their layout.</summary>
internal sealed class PretrainedFiles : IDisposable
{
    private const string IndexEnd = ".index.json";

    /// <summary>Names under which weights are published, in the order of preference.</summary>
    internal static readonly string[] KnownNames =
        ["open_clip_model.safetensors", "model.safetensors", $"model.safetensors{IndexEnd}", "open_clip_pytorch_model.bin",
            "pytorch_model.bin", $"pytorch_model.bin{IndexEnd}"];

    private static readonly string[] Extensions = [".safetensors", ".pt", ".pth", ".bin", ".ckpt"];

    // One of several files, as Hugging Face names them.
    private static readonly Regex PartName = new(@"-\d{5}-of-\d{5}\.", RegexOptions.CultureInvariant);

    private PretrainedFiles(string path, WeightFile weights)
    {
        (Path, Weights) = (path, weights.WithModelNames());
        Layout = LayoutOf(Weights, path);
    }

    /// <summary>Names of the files beside the weights that a model may need.</summary>
    internal static readonly string[] SideNames =
        ["open_clip_config.json", "config.json", "preprocessor_config.json", "processor_config.json", "tokenizer_config.json", "vocab.json",
            "merges.txt", "tokenizer.json", "bpe_simple_vocab_16e6.txt.gz"];

    /// <summary>Whether a name is that of an index of several files.</summary>
    internal static bool IsIndexName(string file) => file.EndsWith(IndexEnd, StringComparison.OrdinalIgnoreCase);

    /// <summary>The file with the weights.</summary>
    public string Path { get; }

    /// <summary>The folder with the weights, their configuration and vocabulary.</summary>
    public string Folder => System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path))!;

    /// <summary>The weights.</summary>
    public WeightFile Weights { get; }

    /// <summary>The layout of the weights' names.</summary>
    public ClipLayout Layout { get; }

    /// <summary>Opens a folder's weights, or a file.</summary>
    /// <exception cref="FileNotFoundException">There is nothing at the path, or no weights in the folder.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, of an unknown kind, or no CLIP model.</exception>
    public static PretrainedFiles Open(string path)
    {
        var file = Directory.Exists(path) ? WeightsOf(path) : path;
        if (!File.Exists(file))
            throw new FileNotFoundException($"There is no file or folder '{path}'. Give the folder of a CLIP model, or its file with " +
                "the weights.", path);
        WeightFile? weights = null;
        try
        {
            weights = OpenWeights(file);
            return new PretrainedFiles(file, weights);
        }
        catch (Exception e)
        {
            weights?.Dispose();
            if (e is InvalidDataException) throw Named(file, e);
            throw;
        }
    }

    /// <summary>Finds a weight by its name in <see cref="ModelWeights"/>; null if the file lacks it.</summary>
    public WeightEntry? Find(string name) => WeightOrigin.Of(Layout, name).In(Weights.Entries);

    /// <summary>An error with the file's path before its message.</summary>
    public static InvalidDataException Named(string path, Exception fault) => new($"'{path}': {fault.Message}", fault);

    /// <inheritdoc/>
    public void Dispose() => Weights.Dispose();

    private static string WeightsOf(string folder)
    {
        foreach (var name in KnownNames)
            if (System.IO.Path.Combine(folder, name) is var known && File.Exists(known)) return known;
        var others = Directory.GetFiles(folder).Select(f => System.IO.Path.GetFileName(f))
            .Where(f => Extensions.Contains(System.IO.Path.GetExtension(f), StringComparer.OrdinalIgnoreCase))
            .Order(StringComparer.Ordinal).ToArray();
        if (others.Length == 1) return System.IO.Path.Combine(folder, others[0]);
        if (others.Length > 1 && IndexesOf(folder) is [var index]) return System.IO.Path.Combine(folder, index);
        if (others.Length == 0)
            throw new FileNotFoundException(
                $"The folder '{folder}' holds no weights. Expected {NearName.List(KnownNames)}, or one file " +
                $"*{string.Join(", *", Extensions)}.", folder);
        var advice = others.All(f => PartName.IsMatch(f))
            ? $"They are parts of one model: put the index that joins them there, as it was published (*{IndexEnd})."
            : "Give the path of one of them.";
        throw new FileNotFoundException($"The folder '{folder}' holds several files of weights: " +
            $"{NearName.List(others, 5)}. {advice}", folder);
    }

    private static string[] IndexesOf(string folder) => [.. Directory.GetFiles(folder).Select(f => System.IO.Path.GetFileName(f))
        .Where(IsIndexName).Order(StringComparer.Ordinal)];

    private static WeightFile OpenWeights(string file)
    {
        if (!IsIndex(file)) return OpenFile(file);
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(file))!;
        return WeightFile.Join(SmallFile.Read(file), name => OpenPart(System.IO.Path.Combine(folder, name)));
    }

    /// <summary>Opens a file of the format that its content shows; names do not tell.</summary>
    private static WeightFile OpenFile(string file)
    {
        var start = Start(file);
        if (start.AsSpan().StartsWith("version https://git-lfs"u8))
            throw new InvalidDataException("This is a pointer of Git LFS, not the weights themselves. Run 'git lfs pull' in its " +
                "repository, or download the file.");
        var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16, FileOptions.RandomAccess);
        // A safetensors file begins with its header's length, which "PK" would make 19 KB.
        var isSafetensors = start.Length > 8 && start[8] == (byte)'{' || file.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase);
        return isSafetensors ? Safetensors.Open(stream) : TorchCheckpoint.Open(stream);
    }

    private static WeightFile OpenPart(string file)
    {
        if (!File.Exists(file)) throw new FileNotFoundException($"The index names '{file}', which is not there. Put it beside the " +
            "index.", file);
        try
        {
            return OpenFile(file);
        }
        catch (InvalidDataException e)
        {
            throw Named(file, e);
        }
    }

    /// <summary>Whether a file is JSON. A safetensors file whose header's length begins so has zeros in the length's upper half.</summary>
    private static bool IsIndex(string file) => IsIndexName(file)
        || Start(file) is [(byte)'{', _, _, _, _, _, _, not 0, ..];

    private static byte[] Start(string file)
    {
        var start = new byte[32];
        using var stream = File.OpenRead(file);
        return start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
    }

    private static ClipLayout LayoutOf(WeightFile weights, string path)
    {
        string[] names = [.. weights.Entries.Keys.Order(StringComparer.Ordinal)];
        foreach (var layout in Enum.GetValues<ClipLayout>())
            if (WeightOrigin.Of(layout, "visual.conv1.weight").Names.Concat(WeightOrigin.Of(layout, "token_embedding.weight").Names)
                .All(weights.Entries.ContainsKey)) return layout;
        bool Any(string start) => names.Any(n => n.StartsWith(start, StringComparison.Ordinal));
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        var reason = PartName.IsMatch(System.IO.Path.GetFileName(path)) ? "It is one of several parts, as its name says: give the path " +
            $"of {(IndexesOf(folder) is [var index, ..] ? $"the index '{index}'" : $"the index that joins them (*{IndexEnd})")}. "
            : Any("visual.trunk.") ? "Its vision tower is one of timm's, which is not supported. "
            : Any("text.") ? "Its text tower is a custom one of open_clip's, which is not supported. "
            : Any("vision_model.") != Any("text_model.") ? $"It holds the {(Any("text_model.") ? "text" : "vision")} tower only; give " +
                "the file of the whole model. "
            : "";
        throw new InvalidDataException(
            $"This is no CLIP model that is known. {reason}Expected open_clip's names ('visual.conv1.weight', 'token_embedding.weight', " +
            "...) or Hugging Face's CLIPModel's ('vision_model.embeddings.patch_embedding.weight', ...); found " +
            $"{names.Length} tensors: {NearName.List(names, 3)}.");
    }
}
