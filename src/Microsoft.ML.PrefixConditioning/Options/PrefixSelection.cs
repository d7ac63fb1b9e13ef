using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Which prefix the class names get at test time.</summary>
/// <remarks>
/// Source: arXiv 2206.01125, sections 3.3 and 4.3: the caption prefix generalizes best to other image domains, the
/// classification prefix is best near the classification data. Immutable and safe for use from many threads.
/// </remarks>
[JsonConverter(typeof(Json))]
public sealed class PrefixSelection : IEquatable<PrefixSelection>
{
    private const double SmallestSum = 1e-6;   // of weights whose largest is 1

    private PrefixSelection(PrefixWeight[] weights, bool isAuto = false) => (Weights, IsAuto) = (Array.AsReadOnly(weights), isAuto);

    /// <summary>The caption prefix: the default.</summary>
    public static PrefixSelection Caption { get; } = For(DatasetType.Caption.Name);

    /// <summary>No prefix: texts are encoded as a plain CLIP model encodes them.</summary>
    public static PrefixSelection None { get; } = new([]);

    /// <summary><c>Fit</c> of zero-shot classification chooses a prefix, or a blend of two, from unlabeled images.</summary>
    /// <remarks>
    /// The nearer the images are to the training images of a dataset type, the larger the share of its prefix. <see cref="None"/> is never
    /// chosen, because the model was not trained without a prefix. The choice is the fitted classifier's
    /// <see cref="ZeroShotClassificationTransformer.Prefix"/> and is saved with the classifier.
    /// </remarks>
    public static PrefixSelection Auto { get; } = new([], isAuto: true);

    /// <summary>The prefix of one dataset type.</summary>
    /// <param name="datasetType">Name of a dataset type that the model was trained on, such as "caption".</param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public static PrefixSelection For(string datasetType) => Blend((datasetType, 1.0));

    /// <summary>A blend of several prefixes: their class embeddings are averaged by weight, then normalized.</summary>
    /// <param name="weights">Dataset types with weights, of which only the ratios matter. A negative weight moves away from a type: 1.25 of
    /// the caption type and -0.25 of the classification type extrapolate past the caption prefix.</param>
    /// <exception cref="ArgumentException">There is no type, a name is empty or repeated, a weight is 0 or not finite, or the sum of the
    /// weights is not positive.</exception>
    public static PrefixSelection Blend(params (string DatasetType, double Weight)[] weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        if (weights.Length == 0)
            throw new ArgumentException("A blend of prefixes needs at least one dataset type. Pass PrefixSelection.None to use no prefix.",
                nameof(weights));
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, weight) in weights)
        {
            if (string.IsNullOrEmpty(name))
                throw new ArgumentException("A dataset type's name is empty; pass the name of a type that the model was trained on, such " +
                    "as \"caption\".", nameof(weights));
            if (!names.Add(name))
                throw new ArgumentException($"The blend names the dataset type '{name}' twice; give each type one weight.",
                    nameof(weights));
            if (weight == 0 || !double.IsFinite(weight))
                throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                    $"The weight of dataset type '{name}' is {weight}; a weight must be a " +
                    $"finite number other than 0. To give a type no share, leave it out."), nameof(weights));
        }
        // Over the largest first: the sum of large weights could be infinite.
        var largest = weights.Max(w => Math.Abs(w.Weight));
        var sum = weights.Sum(w => w.Weight / largest);
        if (!(sum > SmallestSum))
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"The weights of the blend add up to {sum * largest}; the sum must be " +
                $"positive. Combine a negative weight with a larger positive one, such as -0.25 and 1.25."), nameof(weights));
        // Shares that already add up to 1 stay as they are, so that a saved selection equals the one it is read into.
        var shares = Math.Abs(largest * sum - 1) < 1e-12 ? weights : [.. weights.Select(w => (w.DatasetType, w.Weight / largest / sum))];
        foreach (var (name, share) in shares)
            if (share == 0)
                throw new ArgumentException($"The weight of dataset type '{name}' is negligible beside the largest; leave the type out " +
                    "or increase its weight.", nameof(weights));
        return new PrefixSelection([.. shares.Select(s => new PrefixWeight(s.DatasetType, s.Weight))]);
    }

    /// <summary>The selected types with weights that add up to 1; empty for <see cref="None"/> and <see cref="Auto"/>.</summary>
    public IReadOnlyList<PrefixWeight> Weights { get; }

    /// <summary>Whether <c>Fit</c> chooses.</summary>
    internal bool IsAuto { get; }

    /// <summary>Equal if both select the same types with the same weights in the same order, or both are <see cref="Auto"/>.</summary>
    public bool Equals(PrefixSelection? other) => other is not null && IsAuto == other.IsAuto && Weights.SequenceEqual(other.Weights);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PrefixSelection);

    /// <inheritdoc/>
    public override int GetHashCode() => Weights.Count == 0 ? IsAuto.GetHashCode() : Weights[0].GetHashCode();

    /// <summary>A short name for reports: "caption", "none", "0.75 caption + 0.25 classification", "1.25 caption - 0.25 classification",
    /// or "auto".</summary>
    public override string ToString() => Weights.Count switch
    {
        0 when IsAuto => "auto",
        0 => "none",
        1 => Weights[0].DatasetType,
        _ => string.Concat(Weights.Select((w, i) => string.Create(CultureInfo.InvariantCulture,
            $"{(i == 0 ? (w.Weight < 0 ? "-" : "") : w.Weight < 0 ? " - " : " + ")}{Math.Abs(w.Weight):0.##} {w.DatasetType}"))),
    };

    /// <summary>As "auto", or as an object of dataset types and weights, which is empty for no prefix.</summary>
    private sealed class Json : JsonConverter<PrefixSelection>
    {
        public override PrefixSelection Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.String)
                return reader.GetString() == Auto.ToString() ? Auto : throw new JsonException("A prefix is \"auto\" or an object.");
            var weights = JsonSerializer.Deserialize<Dictionary<string, double>>(ref reader, options) ?? [];
            return weights.Count == 0 ? None : Blend([.. weights.Select(w => (w.Key, w.Value))]);
        }

        public override void Write(Utf8JsonWriter writer, PrefixSelection value, JsonSerializerOptions options)
        {
            if (value.IsAuto) writer.WriteStringValue(value.ToString());
            else JsonSerializer.Serialize(writer, value.Weights.ToDictionary(w => w.DatasetType, w => w.Weight), options);
        }
    }
}

/// <summary>One dataset type's share in a blend of prefixes.</summary>
/// <param name="DatasetType">Name of the dataset type.</param>
/// <param name="Weight">Its share. The shares of a selection add up to 1; a negative share moves away from the type.</param>
public readonly record struct PrefixWeight(string DatasetType, double Weight);
