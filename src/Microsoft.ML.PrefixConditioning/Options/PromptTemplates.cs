using System.Collections;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Sentences around a class name, such as <c>"a picture of the {}."</c>, where <c>{}</c> stands for the name.</summary>
/// <remarks>Source: CLIP paper (arXiv 2103.00020), section 3.1.4. Immutable and safe for use from many threads.</remarks>
[JsonConverter(typeof(Json))]
public sealed class PromptTemplates : IReadOnlyList<string>, IEquatable<PromptTemplates>
{
    /// <summary>The place of the class name in a template.</summary>
    public const string Placeholder = "{}";

    private readonly string[] _templates;

    private PromptTemplates(string[] templates) => _templates = templates;

    /// <summary>Seven general templates, without an indefinite article before the name, so that every name fits.</summary>
    public static PromptTemplates Default { get; } = Of(
        "{}",
        "a picture of the {}.",
        "an image that shows {}.",
        "here you can see {}.",
        "a drawing of the {}.",
        "the {}, seen from nearby.",
        "the {} in its usual place.");

    /// <summary>The class name alone.</summary>
    public static PromptTemplates NameOnly { get; } = Of(Placeholder);

    /// <summary>Templates of your own.</summary>
    /// <param name="templates">At least one; each contains <c>{}</c> exactly once.</param>
    /// <exception cref="ArgumentException">There is no template, or one does not contain <c>{}</c> exactly once.</exception>
    public static PromptTemplates Of(params string[] templates)
    {
        ArgumentNullException.ThrowIfNull(templates);
        if (templates.Length == 0)
            throw new ArgumentException("There is no prompt template; at least one is needed. Pass PromptTemplates.NameOnly to use class " +
                "names as they are.", nameof(templates));
        foreach (var template in templates)
        {
            var at = template?.IndexOf(Placeholder, StringComparison.Ordinal) ?? -1;
            if (at < 0 || template!.IndexOf(Placeholder, at + 1, StringComparison.Ordinal) >= 0)
                throw new ArgumentException($"The prompt template \"{template}\" must contain {Placeholder}, the place of the class " +
                    "name, exactly once.", nameof(templates));
        }
        return new PromptTemplates([.. templates]);
    }

    /// <summary>Number of templates.</summary>
    public int Count => _templates.Length;

    /// <summary>The template at a position.</summary>
    public string this[int index] => _templates[index];

    /// <summary>Puts a class name into one template.</summary>
    /// <param name="index">Index of the template.</param>
    /// <param name="className">The name that replaces <c>{}</c>.</param>
    public string Fill(int index, string className) => _templates[index].Replace(Placeholder, className, StringComparison.Ordinal);

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator() => ((IEnumerable<string>)_templates).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Equal if both contain the same templates in the same order.</summary>
    public bool Equals(PromptTemplates? other) => other is not null && _templates.AsSpan().SequenceEqual(other._templates);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PromptTemplates);

    /// <inheritdoc/>
    public override int GetHashCode() => _templates.Length == 0 ? 0 : _templates.Length * 397 ^ _templates[0].Length;

    /// <summary>As a list of texts.</summary>
    private sealed class Json : JsonConverter<PromptTemplates>
    {
        public override PromptTemplates Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            Of(JsonSerializer.Deserialize<string[]>(ref reader, options) ?? []);

        public override void Write(Utf8JsonWriter writer, PromptTemplates value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value._templates, options);
    }
}
