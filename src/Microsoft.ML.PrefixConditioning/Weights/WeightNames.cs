using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A weight file under its model's own names, without what training tools put before or between them.</summary>
/// <remarks>
/// Between: the modules of <c>torch.compile</c>, FSDP and activation checkpointing. Before: whatever stands before the vision tower's first
/// weight, such as "module.", "model." or "clip.". Tensors beside the model keep their names.
/// </remarks>
internal sealed class WeightNames : IWeightFile
{
    private static readonly string[] Wrappers = ["_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."];

    private static readonly string[] Firsts =
        [.. Enum.GetValues<ClipLayout>().Select(layout => WeightOrigin.Of(layout, "visual.conv1.weight").Names[0])];

    private readonly IWeightFile _file;
    private readonly Dictionary<string, string> _nameInFile = new(StringComparer.Ordinal);

    private WeightNames(IWeightFile file, string prefix)
    {
        _file = file;
        foreach (var stored in file.Entries.Keys)
        {
            var name = Unwrapped(stored);
            if (name.StartsWith(prefix, StringComparison.Ordinal)) name = name[prefix.Length..];
            if (!_nameInFile.TryAdd(name, stored))
                throw new InvalidDataException($"The file holds '{name}' twice, as '{_nameInFile[name]}' and as '{stored}'. Save the " +
                    "state dictionary of the model alone.");
        }
        Entries = _nameInFile.ToDictionary(n => n.Key, n => file.Entries[n.Value] with { Name = n.Key }, StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, WeightEntry> Entries { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Metadata => _file.Metadata;

    /// <summary>The file itself where its names are the model's, or else a view of it.</summary>
    /// <param name="file">Owned by what is returned.</param>
    /// <exception cref="InvalidDataException">The file holds several models, or one name twice.</exception>
    public static IWeightFile Of(IWeightFile file)
    {
        var prefixes = (from stored in file.Entries.Keys
                        let name = Unwrapped(stored)
                        from first in Firsts
                        where name == first || name.EndsWith($".{first}", StringComparison.Ordinal)
                        select name[..^first.Length]).Distinct(StringComparer.Ordinal).ToArray();
        if (prefixes.Length > 1)
            throw new InvalidDataException($"The file holds {prefixes.Length} models: their names begin with " +
                $"{string.Join(" and ", prefixes.Take(3).Select(p => $"'{p}'"))}. Save the state dictionary of the wanted one alone.");
        var prefix = prefixes.SingleOrDefault("");
        return prefix.Length == 0 && !file.Entries.Keys.Any(n => Unwrapped(n) != n) ? file : new WeightNames(file, prefix);
    }

    /// <inheritdoc/>
    public void Read(string name, Tensor destination) => _file.Read(_nameInFile[name], destination);

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static string Unwrapped(string name) =>
        Wrappers.Aggregate(name, (n, wrapper) => n.Replace(wrapper, "", StringComparison.Ordinal));
}
