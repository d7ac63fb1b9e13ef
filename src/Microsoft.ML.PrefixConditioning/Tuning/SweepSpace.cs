using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.SearchSpace;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The settings that a search varies: those with ML.NET's own sweep attributes, in <see cref="PrefixClipOptions"/> and in the
/// groups that it marks.</summary>
internal static class SweepSpace
{
    private const ulong SettingPurpose = 1;

    private static readonly JsonSerializerOptions Json = new() { Converters = { new JsonStringEnumConverter() } };

    private static readonly (string Path, Attribute Sweep)[] All = [.. Of(typeof(PrefixClipOptions), "")];

    /// <summary>Settings of one trial, by path, such as "Optimizer.WeightDecay": numbers, or names of an enumeration's members.</summary>
    /// <param name="options">Options of the search. Without initial weights, <see cref="PrefixClipOptions.FineTuning"/> is not
    /// varied.</param>
    /// <param name="seed">Seed of the search.</param>
    /// <param name="trial">Number of the trial. Trial 0 has the options as they are.</param>
    public static IReadOnlyDictionary<string, string> Draw(PrefixClipOptions options, ulong seed, int trial)
    {
        var settings = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (trial == 0) return settings;
        foreach (var (path, sweep) in All)
        {
            if (options.InitialWeights is null && path.StartsWith($"{nameof(PrefixClipOptions.FineTuning)}.", StringComparison.Ordinal))
                continue;
            var random = SeededRandom.Derive(seed, SettingPurpose, [(ulong)trial, .. path.Select(c => (ulong)c)]);
            settings[path] = Draw(sweep, ref random);
        }
        return settings;
    }

    /// <summary>The options with some settings changed.</summary>
    /// <exception cref="JsonException">A setting does not exist, or cannot have its value.</exception>
    public static PrefixClipOptions With(PrefixClipOptions options, IReadOnlyDictionary<string, string> settings)
    {
        var root = JsonSerializer.SerializeToNode(options, Json)!;
        foreach (var (path, value) in settings)
        {
            var names = path.Split('.');
            var group = names.SkipLast(1).Aggregate(root, (node, name) => node[name] ?? throw new JsonException($"There is no '{path}'."));
            group[names[^1]] = double.TryParse(value, CultureInfo.InvariantCulture, out var number) ? number : value;
        }
        // What belongs to the process has no JSON form.
        return root.Deserialize<PrefixClipOptions>(Json)! with
        {
            ValidationSet = options.ValidationSet,
            ProcessGroup = options.ProcessGroup,
            Progress = options.Progress,
            CancellationToken = options.CancellationToken,
            UseTensorOperations = options.UseTensorOperations,
        };
    }

    /// <summary>The options as JSON, without what belongs to the process.</summary>
    public static string ToJson(PrefixClipOptions options) => JsonSerializer.Serialize(options, Json);

    private static IEnumerable<(string Path, Attribute Sweep)> Of(Type group, string path)
    {
        foreach (var property in group.GetProperties())
            if (property.IsDefined(typeof(NestOptionAttribute)))
                foreach (var inner in Of(property.PropertyType, $"{path}{property.Name}.")) yield return inner;
            else if (property.GetCustomAttributes().FirstOrDefault(a => a is RangeAttribute or ChoiceAttribute) is { } sweep)
                yield return ($"{path}{property.Name}", sweep);
    }

    private static string Draw(Attribute sweep, ref SeededRandom random)
    {
        if (sweep is ChoiceAttribute choice) return $"{choice.Candidates[random.NextInt32(choice.Candidates.Length)]}";
        var range = (RangeAttribute)sweep;
        double least = Convert.ToDouble(range.Min, CultureInfo.InvariantCulture), most = Convert.ToDouble(range.Max,
            CultureInfo.InvariantCulture);
        var isWhole = range.Min is int;
        if (isWhole && !range.LogBase) return $"{(int)least + random.NextInt32((int)(most - least) + 1)}";
        var at = random.NextDouble();
        var value = range.LogBase ? least * Math.Pow(most / least, at) : least + (most - least) * at;
        return isWhole ? $"{(int)Math.Round(value)}" : value.ToString("g4", CultureInfo.InvariantCulture);
    }
}
