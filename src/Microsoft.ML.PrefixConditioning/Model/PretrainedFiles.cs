namespace Microsoft.ML.PrefixConditioning;

/// <summary>The files of a published model: which of a folder's files are read, and in which layout they are.</summary>
internal sealed class PretrainedFiles : IDisposable
{
    // In the order of preference. The first four names are those under which models are published.
    private static readonly string[] KnownNames =
        ["open_clip_model.safetensors", "model.safetensors", ShardedSafetensors.IndexName, "open_clip_pytorch_model.bin",
            "pytorch_model.bin"];

    private static readonly string[] Extensions = [".safetensors", ".pt", ".pth", ".bin", ".ckpt"];

    private PretrainedFiles(string path, IWeightFile weights)
    {
        (Path, Weights) = (path, weights);
        Layout = LayoutOf(weights);
    }

    /// <summary>The file with the weights.</summary>
    public string Path { get; }

    /// <summary>The folder with the weights, their configuration and vocabulary.</summary>
    public string Folder => System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path))!;

    /// <summary>The weights.</summary>
    public IWeightFile Weights { get; }

    /// <summary>Whose names the weights have.</summary>
    public ClipLayout Layout { get; }

    /// <summary>Opens a folder's weights, or a file.</summary>
    /// <exception cref="FileNotFoundException">There is nothing at the path, or no weights in the folder.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, of an unknown kind, or no CLIP model.</exception>
    public static PretrainedFiles Open(string path)
    {
        var file = Directory.Exists(path) ? Find(path) : path;
        if (!File.Exists(file))
            throw new FileNotFoundException($"There is no file or folder '{path}'. Give the folder of a CLIP model, or its file with " +
                "the weights.", path);
        IWeightFile? weights = null;
        try
        {
            weights = OpenWeights(file);
            return new PretrainedFiles(file, weights);
        }
        catch (Exception e)
        {
            weights?.Dispose();
            if (e is InvalidDataException) throw new InvalidDataException($"'{file}': {e.Message}", e);
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Weights.Dispose();

    private static string Find(string folder)
    {
        foreach (var name in KnownNames)
            if (System.IO.Path.Combine(folder, name) is var known && File.Exists(known)) return known;
        var others = Directory.GetFiles(folder).Select(f => System.IO.Path.GetFileName(f))
            .Where(f => Extensions.Contains(System.IO.Path.GetExtension(f), StringComparer.OrdinalIgnoreCase))
            .Order(StringComparer.Ordinal).ToArray();
        return others.Length switch
        {
            1 => System.IO.Path.Combine(folder, others[0]),
            0 => throw new FileNotFoundException(
                $"The folder '{folder}' holds no weights. Expected {string.Join(", ", KnownNames.Select(n => $"'{n}'"))}, or one file " +
                    $"*{string.Join(", *", Extensions)}.", folder),
            _ => throw new FileNotFoundException(
                $"The folder '{folder}' holds several files of weights: {string.Join(", ", others.Take(5).Select(f => $"'{f}'"))}. " +
                "Give the path of one of them.", folder),
        };
    }

    private static IWeightFile OpenWeights(string file)
    {
        if (file.EndsWith(".index.json", StringComparison.OrdinalIgnoreCase))
        {
            var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(file))!;
            return new ShardedSafetensors(SmallFile.Read(file), name => OpenStream(System.IO.Path.Combine(folder, name)));
        }
        // By content, since both kinds are found under any name. A safetensors file begins with its header's length, which "PK" would make
        // 19 KB.
        var stream = OpenStream(file);
        Span<byte> start = stackalloc byte[9];
        var read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        var isSafetensors = (read == start.Length && start[8] == (byte)'{') || file.EndsWith(".safetensors",
            StringComparison.OrdinalIgnoreCase);
        return isSafetensors ? new SafetensorsFile(stream) : new TorchCheckpoint(stream);
    }

    private static FileStream OpenStream(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16,
        FileOptions.RandomAccess);

    private static ClipLayout LayoutOf(IWeightFile weights)
    {
        var names = weights.Entries.Keys;
        if (weights.Entries.ContainsKey("visual.conv1.weight") && weights.Entries.ContainsKey(
            "token_embedding.weight")) return ClipLayout.OpenClip;
        if (weights.Entries.ContainsKey("vision_model.embeddings.patch_embedding.weight")
            && weights.Entries.ContainsKey("text_model.embeddings.token_embedding.weight")) return ClipLayout.HuggingFace;
        var reason = names.Any(n => n.StartsWith("visual.trunk.", StringComparison.Ordinal)) ? "Its vision tower is one of timm's, " +
            "which is not supported. "
            : names.Any(n => n.StartsWith("text.", StringComparison.Ordinal)) ? "Its text tower is a custom one of open_clip's, which " +
                "is not supported. "
            : names.Any(n => n.StartsWith("vision_model.", StringComparison.Ordinal)) != names.Any(n => n.StartsWith("text_model.",
                StringComparison.Ordinal))
                ? "It holds one tower only. " : "";
        throw new InvalidDataException(
            $"This is no CLIP model that is known. {reason}Expected open_clip's names ('visual.conv1.weight', 'token_embedding.weight', " +
                "...) or Hugging Face's CLIPModel's " +
            $"('vision_model.embeddings.patch_embedding.weight', ...); found {names.Count()} tensors: " +
                $"{string.Join(", ", names.Order(StringComparer.Ordinal).Take(3).Select(n => $"'{n}'"))}, ...");
    }
}
