using System.Text.Json;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Named tensors of one or several files. Each is read on request; the others take no memory.</summary>
/// <param name="entries">All tensors. Together they have no more bytes than the file.</param>
/// <param name="metadata">The file's metadata; empty if the format has none.</param>
/// <param name="close">Closes the file.</param>
internal sealed class WeightFile(
    IEnumerable<WeightEntry> entries, IReadOnlyDictionary<string, string> metadata, Action close) : IDisposable
{
    private const int MaxFiles = 1000;

    // What torch.compile, FSDP and activation checkpointing put between names.
    private static readonly string[] Wrappers = ["_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."];

    private static readonly string[] Firsts =
        [.. Enum.GetValues<ClipLayout>().Select(layout => WeightOrigin.Of(layout, "visual.conv1.weight").Names[0])];

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, WeightEntry> Entries { get; } = entries.ToDictionary(e => e.Name, StringComparer.Ordinal);

    /// <summary>The file's metadata.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; } = metadata;

    /// <summary>Opens the files that an index lists as one set of tensors.</summary>
    /// <param name="index">The index's content.</param>
    /// <param name="open">Opens a file of the same folder by its name.</param>
    /// <remarks>Source: Hugging Face's <c>model.safetensors.index.json</c> and <c>pytorch_model.bin.index.json</c>: "weight_map" gives the
    /// file of every tensor.</remarks>
    /// <exception cref="InvalidDataException">The index is damaged, names a file elsewhere, or does not fit the files.</exception>
    public static WeightFile Join(byte[] index, Func<string, WeightFile> open)
    {
        var places = ReadIndex(index);
        var files = new Dictionary<string, WeightFile>(StringComparer.Ordinal);
        void Close()
        {
            foreach (var file in files.Values) file.Dispose();
        }
        try
        {
            foreach (var name in places.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)) files.Add(name, open(name));
            foreach (var (name, file) in places)
                if (!files[file].Entries.ContainsKey(name))
                    throw new InvalidDataException($"The index says that '{file}' holds '{name}', but it does not. The files do not " +
                        "belong together.");
            foreach (var (file, content) in files)
                if (content.Entries.Keys.FirstOrDefault(n => places.GetValueOrDefault(n) != file) is { } stray)
                    throw new InvalidDataException($"'{file}' holds '{stray}', which the index does not name there. The files do not " +
                        "belong together.");
            return new WeightFile(places.Select(p => files[p.Value].Entries[p.Key]), files.First().Value.Metadata, Close);
        }
        catch
        {
            Close();
            throw;
        }
    }

    /// <summary>The same tensors under the model's own names, without what training tools add to these.</summary>
    /// <remarks>What precedes the name of the vision tower's first weight, such as "module.", "model." or "clip.", is removed from all
    /// names. Tensors outside the model keep theirs.</remarks>
    /// <exception cref="InvalidDataException">The file holds several models, or one name twice.</exception>
    public WeightFile WithModelNames()
    {
        string[] prefixes = [.. (from stored in Entries.Keys
                                 let name = Unwrapped(stored)
                                 from first in Firsts
                                 where name == first || name.EndsWith($".{first}", StringComparison.Ordinal)
                                 select name[..^first.Length]).Distinct(StringComparer.Ordinal)];
        if (prefixes.Length > 1)
            throw new InvalidDataException($"The file holds {prefixes.Length} models: their names begin with " +
                $"{string.Join(" and ", prefixes.Take(3).Select(p => $"'{p}'"))}. Save the state dictionary of the wanted one alone.");
        var prefix = prefixes.SingleOrDefault("");
        var named = Entries.Values.ToLookup(e => Unwrapped(e.Name) is var name && name.StartsWith(prefix, StringComparison.Ordinal)
            ? name[prefix.Length..] : name, StringComparer.Ordinal);
        if (named.FirstOrDefault(n => n.Count() > 1) is { } twice)
            throw new InvalidDataException($"The file holds '{twice.Key}' twice, as '{twice.First().Name}' and as " +
                $"'{twice.ElementAt(1).Name}'. Save the state dictionary of the model alone.");
        return new WeightFile(named.Select(n => n.Single() with { Name = n.Key }), Metadata, close);
    }

    /// <inheritdoc/>
    public void Dispose() => close();

    private static string Unwrapped(string name) =>
        Wrappers.Aggregate(name, (n, wrapper) => n.Replace(wrapper, "", StringComparison.Ordinal));

    /// <summary>Names of the files that an index joins.</summary>
    /// <exception cref="InvalidDataException">The index is damaged.</exception>
    public static IEnumerable<string> PartNames(byte[] index) => ReadIndex(index).Values.Distinct(StringComparer.Ordinal);

    private static Dictionary<string, string> ReadIndex(byte[] index)
    {
        var places = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var document = JsonDocument.Parse(index);
            foreach (var property in document.RootElement.GetProperty("weight_map").EnumerateObject())
            {
                var file = property.Value.GetString() ?? "";
                if (file.Length is 0 or > 255 || file.IndexOfAny(['/', '\\', ':', '\0']) >= 0 || file is "." or "..")
                    throw new InvalidDataException($"The index names the file '{file}'; only files of its own folder are read.");
                if (!places.TryAdd(property.Name, file))
                    throw new InvalidDataException($"The index names the tensor '{property.Name}' twice.");
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidDataException("This is neither a file of weights nor an index of such files: an index is a JSON object with " +
                "\"weight_map\", which gives the file of every tensor. Give the path of the model's folder, or of its file with the " +
                "weights.", e);
        }
        var files = places.Values.Distinct(StringComparer.Ordinal).Count();
        return files is > 0 and <= MaxFiles ? places
            : throw new InvalidDataException($"The index names {files} files; 1 to {MaxFiles} are expected.");
    }
}

/// <summary>One tensor of a weight file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Type of its values in the file.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Read">Reads its floating-point numbers of any width into an fp32 tensor on the processor, contiguous and with as many
/// values. Throws <see cref="InvalidDataException"/> where the data end early, or are no floating-point numbers.</param>
internal sealed record WeightEntry(string Name, ScalarType Type, long[] Shape, Action<Tensor> Read)
{
    /// <summary>The shape as messages give it: [768, 3, 32, 32].</summary>
    public static string Describe(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
