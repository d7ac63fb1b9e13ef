using System.Text.Json;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Several weight files that an index joins to one set of tensors.</summary>
/// <remarks>Source: Hugging Face's <c>model.safetensors.index.json</c> and <c>pytorch_model.bin.index.json</c>: "weight_map" gives the file
/// of every tensor.</remarks>
internal sealed class ShardedWeights : IWeightFile
{
    private const int MaxFiles = 1000;

    private readonly Dictionary<string, IWeightFile> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IWeightFile> _fileOfTensor = new(StringComparer.Ordinal);

    /// <param name="index">The index's content.</param>
    /// <param name="open">Opens a file of the same folder by its name.</param>
    /// <exception cref="InvalidDataException">The index is damaged, names a file elsewhere, or does not fit the files.</exception>
    public ShardedWeights(byte[] index, Func<string, IWeightFile> open)
    {
        try
        {
            var files = ReadIndex(index);
            foreach (var name in files.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
                _files.Add(name, open(name));
            foreach (var (name, file) in files)
            {
                if (!_files[file].Entries.ContainsKey(name))
                    throw new InvalidDataException($"The index says that '{file}' holds '{name}', but it does not. The files do not " +
                        "belong together.");
                _fileOfTensor.Add(name, _files[file]);
            }
            foreach (var (file, content) in _files)
                if (content.Entries.Keys.FirstOrDefault(n => !files.TryGetValue(n, out var named) || named != file) is { } stray)
                    throw new InvalidDataException($"'{file}' holds '{stray}', which the index does not name there. The files do not " +
                        "belong together.");
            Entries = _fileOfTensor.ToDictionary(t => t.Key, t => t.Value.Entries[t.Key], StringComparer.Ordinal);
            Metadata = _files.OrderBy(f => f.Key, StringComparer.Ordinal).First().Value.Metadata;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, WeightEntry> Entries { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <inheritdoc/>
    public void Read(string name, Tensor destination) => _fileOfTensor[name].Read(name, destination);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var file in _files.Values) file.Dispose();
    }

    private static Dictionary<string, string> ReadIndex(byte[] index)
    {
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var document = JsonDocument.Parse(index);
            foreach (var property in document.RootElement.GetProperty("weight_map").EnumerateObject())
            {
                var file = property.Value.GetString() ?? "";
                if (file.Length is 0 or > 255 || file.IndexOfAny(['/', '\\', ':', '\0']) >= 0 || file is "." or "..")
                    throw new InvalidDataException($"The index names the file '{file}'; only files of its own folder are read.");
                if (!files.TryAdd(property.Name, file))
                    throw new InvalidDataException($"The index names the tensor '{property.Name}' twice.");
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidDataException("This is neither a file of weights nor an index of such files: an index is a JSON object with " +
                "\"weight_map\", which gives the file of every tensor. Give the path of the model's folder, or of its file with the " +
                "weights.", e);
        }
        if (files.Values.Distinct(StringComparer.Ordinal).Count() is 0 or > MaxFiles)
            throw new InvalidDataException($"The index names {files.Values.Distinct(StringComparer.Ordinal).Count()} files; 1 to " +
                $"{MaxFiles} are expected.");
        return files;
    }
}
