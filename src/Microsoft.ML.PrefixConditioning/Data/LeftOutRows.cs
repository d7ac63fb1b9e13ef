using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Rows that a source left out. An annotation of the view's image column carries them through ML.NET's filters and caches to
/// <c>Fit</c>.</summary>
/// <param name="Count">Their number.</param>
/// <param name="FirstFault">What is wrong with the first.</param>
internal sealed record LeftOutRows(long Count, string FirstFault)
{
    private const string Kind = "PrefixConditioning.LeftOutRows";

    /// <summary>The error for a fault where the policy is to fail.</summary>
    /// <param name="fault">A sentence.</param>
    /// <param name="units">What the rows come from, such as "samples".</param>
    public static InvalidDataException Refusal(string fault, string units) =>
        new($"{fault} To leave such {units} out, set badRows to {nameof(BadRowPolicy.Skip)}.");

    /// <summary>Logs what a source leaves out.</summary>
    /// <param name="channel">The log.</param>
    /// <param name="count">Number of bad rows.</param>
    /// <param name="firstFault">What is wrong with the first; null if there is none.</param>
    /// <param name="kept">Where the good ones are and how many, as the message begins.</param>
    /// <returns>What is left out; null for nothing.</returns>
    public static LeftOutRows? Told(IChannel channel, long count, string? firstFault, string kept)
    {
        if (firstFault is null || count == 0) return null;
        channel.Warning(MessageSensitivity.None, "{0}", string.Create(CultureInfo.InvariantCulture,
            $"{kept}; {count} left out. The first fault: {firstFault}"));
        return new(count, firstFault);
    }

    /// <summary>The annotations of an image column; empty where nothing is left out.</summary>
    public static DataViewSchema.Annotations Annotations(LeftOutRows? rows)
    {
        var builder = new DataViewSchema.Annotations.Builder();
        if (rows is not null)
        {
            var text = string.Create(CultureInfo.InvariantCulture, $"{rows.Count} {rows.FirstFault}").AsMemory();
            builder.Add<ReadOnlyMemory<char>>(Kind, TextDataViewType.Instance, (ref ReadOnlyMemory<char> value) => value = text);
        }
        return builder.ToAnnotations();
    }

    /// <summary>What the sources of an image column left out; null for nothing.</summary>
    public static LeftOutRows? Of(DataViewSchema.Column image)
    {
        if (image.Annotations.Schema.GetColumnOrNull(Kind) is null) return null;
        ReadOnlyMemory<char> value = default;
        image.Annotations.GetValue(Kind, ref value);
        var parts = value.ToString().Split(' ', 2);
        return new(long.Parse(parts[0], CultureInfo.InvariantCulture), parts[1]);
    }

    /// <summary>What several sources left out together.</summary>
    public static LeftOutRows? Sum(IEnumerable<LeftOutRows?> all)
    {
        LeftOutRows[] some = [.. all.OfType<LeftOutRows>()];
        return some.Length == 0 ? null : new(some.Sum(r => r.Count), some[0].FirstFault);
    }
}
