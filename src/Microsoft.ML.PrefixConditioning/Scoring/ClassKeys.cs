using System.Globalization;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The keys of classes, 1 to C, by class name. Names are compared in Unicode normalization form C.</summary>
internal sealed class ClassKeys
{
    private readonly Dictionary<string, uint> _keys = new(StringComparer.Ordinal);   // by the name in form C
    private readonly List<(int Index, string Name)> _repeated = [];

    /// <param name="classNames">C names. A repeated name becomes "name (2)", then "name (3)".</param>
    public ClassKeys(IReadOnlyList<string> classNames)
    {
        Names = [.. classNames];
        for (var i = 0; i < Names.Length; i++)
            if (!TryAdd(i)) _repeated.Add((i, classNames[i]));
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (i, name) in _repeated)
        {
            var count = counts.GetValueOrDefault(name, 1);
            do Names[i] = string.Create(CultureInfo.InvariantCulture, $"{name} ({++count})");
            while (!TryAdd(i));   // another class may have that name
            counts[name] = count;
        }
    }

    /// <summary>[C] names, all different.</summary>
    public string[] Names { get; }

    /// <summary>The key of the class that a label names; 0 if there is none.</summary>
    public uint Find(ReadOnlySpan<char> label)
    {
        if (_keys.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(label, out var key)) return key;
        return _keys.GetValueOrDefault(CanonicalComposition.Compose(label.ToString()));
    }

    /// <summary>Warns about repeated names, because labels cannot distinguish their classes.</summary>
    public void WarnOfRepeated(IChannelProvider log)
    {
        if (_repeated.Count == 0) return;
        var (index, name) = (_repeated[0].Index, NearName.Quoted(_repeated[0].Name));
        using var channel = log.Start("Naming classes");
        channel.Warning(MessageSensitivity.UserData, "{0}", string.Create(CultureInfo.InvariantCulture,
            $"{_repeated.Count} of {Names.Length} class names repeat an earlier one. The class {name} at index {index} is now named ") +
            $"{NearName.Quoted(Names[index])}. The label {name} means the first class of that name. To tell such classes apart, give " +
            $"each its own name in {nameof(ZeroShotClassificationOptions.ClassNames)} and its text in " +
            $"{nameof(ZeroShotClassificationOptions.ClassTexts)}.");
    }

    private bool TryAdd(int index) => _keys.TryAdd(CanonicalComposition.Compose(Names[index]), (uint)index + 1);
}
