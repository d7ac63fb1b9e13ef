using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One object of a configuration file: typed values, and the check of its keys. Every fault names the file and the key.</summary>
/// <remarks>A value of null counts as absent, as in the programs that write these files.</remarks>
internal sealed class ConfigSection
{
    private const int MaxNamed = 5;   // keys in one message

    private readonly string _place;
    private readonly JsonElement _values;
    private readonly List<string> _unknown;   // of the whole file

    private ConfigSection(string path, string place, JsonElement values, List<string> unknown) =>
        (Path, _place, _values, _unknown) = (path, place, values, unknown);

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>What to log of the file's keys that no table has: one line, or none.</summary>
    public IReadOnlyList<string> Warnings => _unknown.Count == 0 ? [] :
    [
        $"The configuration '{Path}' has settings that are not known and were ignored: " +
        $"{string.Join(", ", _unknown.Take(MaxNamed))}{(_unknown.Count > MaxNamed ? ", ..." : "")}. If one of them changes what the " +
        "model computes, its embeddings are not the published ones.",
    ];

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">The file is not a JSON object.</exception>
    public static ConfigSection Read(string path)
    {
        try
        {
            ReadOnlyMemory<byte> json = SmallFile.Read(path);
            if (json.Span.StartsWith("\uFEFF"u8)) json = json[3..];   // editors on Windows write a byte-order mark
            using var document = JsonDocument.Parse(json);
            CheckTexts(document.RootElement);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new ConfigSection(path, "", document.RootElement.Clone(), []) : throw new JsonException();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)   // the second for half a surrogate pair
        {
            var line = e is JsonException { LineNumber: { } number } ? $" (line {number + 1})" : "";
            throw new InvalidDataException($"The configuration '{path}' cannot be used: it is not a JSON object{line}. Download it " +
                "again, or correct it.", e);
        }
    }

    /// <summary>An inner object; null where there is none.</summary>
    public ConfigSection? Section(string name) => Find(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.Object ? new ConfigSection(Path, $"{_place}{name}.", value, _unknown)
        : throw Fault(name, "an object is expected.");

    /// <summary>An inner object that must be there.</summary>
    public ConfigSection Required(string name) => Section(name) ?? throw new InvalidDataException(
        $"The configuration '{Path}' cannot be used: it has no \"{_place}{name}\". It is of another kind of model, or incomplete: take " +
        "the file that was published with the weights.");

    /// <summary>Refuses values that the towers here do not have, and notes keys that are not known.</summary>
    public ConfigSection Check(ConfigKeys keys)
    {
        foreach (var property in _values.EnumerateObject())
            if (!keys.Knows(property.Name))
            {
                if (property.Value.ValueKind != JsonValueKind.Null) _unknown.Add($"\"{JsonEncodedText.Encode(_place + property.Name)}\"");
            }
            else if (keys.OnlyValue(property.Name, property.Value) is { } only)
                throw Fault(property.Name, $"which is not supported; only {only} is. Where the file is wrong, correct it there; " +
                    "otherwise this model cannot be loaded.");
        return this;
    }

    /// <summary>Whether a key is there.</summary>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>Whether a key's value is an object.</summary>
    public bool IsObject(string name) => Find(name)?.ValueKind == JsonValueKind.Object;

    /// <summary>A whole number.</summary>
    public int? Whole(string name) => Read(name, IntegerIn, "a whole number is expected.");

    /// <summary>A whole number of at least 1.</summary>
    public int? Count(string name) => Whole(name) is < 1 ? throw Fault(name, "at least 1 is expected.") : Whole(name);

    /// <summary>A number.</summary>
    public double? Number(string name) => Read(name, NumberIn, "a number is expected.");

    /// <summary>true or false; false where it is absent.</summary>
    public bool Flag(string name) => Read<bool>(name, value => value.ValueKind is JsonValueKind.True or JsonValueKind.False
        ? value.GetBoolean() : null, "true or false is expected.") ?? false;

    /// <summary>A text.</summary>
    public string? Text(string name) => Find(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Fault(name, "a text is expected.");

    /// <summary>Whole numbers in a list; null where the key is absent or no list.</summary>
    public int[]? Wholes(string name) => Find(name) is not { ValueKind: JsonValueKind.Array } list ? null
        : [.. list.EnumerateArray().Select(item => IntegerIn(item) ?? throw Fault(name, "whole numbers are expected."))];

    /// <summary>The side of a square: a number, a list of height and width, or an object that names both.</summary>
    public int? Side(string name)
    {
        var sides = Find(name)?.ValueKind switch
        {
            JsonValueKind.Array => Wholes(name)!,
            JsonValueKind.Object when Section(name) is { } square => [square.Whole("height") ?? 0, square.Whole("width") ?? 0],
            _ => Whole(name) is { } side ? [side] : (int[]?)null,
        };
        return sides is null ? null : sides.Length is 1 or 2 && sides[0] == sides[^1] && sides[0] > 0 ? sides[0]
            : throw Fault(name, "images and patches here are squares: one whole number is expected, or two equal ones.");
    }

    /// <summary>One number for each color, or one for all.</summary>
    public ColorValues? Colors(string name)
    {
        if (Find(name) is not { } value) return null;
        var colors = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().ToArray() : [value, value, value];
        return colors.Select(c => (float?)NumberIn(c)).ToArray() is [{ } red, { } green, { } blue]
            && float.IsFinite(red) && float.IsFinite(green) && float.IsFinite(blue) ? new ColorValues(red, green, blue)
            : throw Fault(name, "three numbers are expected, of red, green and blue.");
    }

    /// <summary>What is wrong with a key's value.</summary>
    public InvalidDataException Fault(string name, string expected) => new(
        $"The configuration '{Path}' cannot be used: \"{_place}{name}\" is " +
        (_values.TryGetProperty(name, out var value) ? Shorten(value) : "absent") +
        $"{(expected.StartsWith("which", StringComparison.Ordinal) ? "," : ";")} {expected}");

    private T? Read<T>(string name, Func<JsonElement, T?> read, string expected) where T : struct =>
        Find(name) is { } value ? read(value) ?? throw Fault(name, expected) : null;

    private static int? IntegerIn(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : null;

    private static double? NumberIn(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number : null;

    private JsonElement? Find(string name) =>
        _values.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static string Shorten(JsonElement value)
    {
        var text = JsonSerializer.Serialize(value);   // on one line, with control characters escaped
        return text.Length > 60 ? text[..60] + "..." : text;
    }

    private static void CheckTexts(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String) value.GetString();
        else if (value.ValueKind == JsonValueKind.Array) foreach (var item in value.EnumerateArray()) CheckTexts(item);
        else if (value.ValueKind == JsonValueKind.Object)
            foreach (var property in value.EnumerateObject())
            {
                _ = property.Name;
                CheckTexts(property.Value);
            }
    }
}
