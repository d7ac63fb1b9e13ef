using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The rules for every record of options: values lie in the range of their attribute, texts are not blank, references are not
/// null, and enum members are defined. <see cref="IValidatableObject"/> adds what concerns several settings.</summary>
internal static class OptionFaults
{
    private static readonly NullabilityInfoContext Nullability = new();

    /// <summary>Throws all faults of the options in one exception.</summary>
    /// <param name="name">The type's name, for the message.</param>
    /// <param name="faults">One sentence each.</param>
    /// <exception cref="ArgumentException">There is at least one fault.</exception>
    public static void ThrowIfAny(string name, IEnumerable<string> faults)
    {
        var all = faults.ToArray();
        if (all.Length > 0)
            throw new ArgumentException(
                $"{name} has {all.Length} fault(s):{string.Concat(all.Select(f => $"{Environment.NewLine}- {f}"))}");
    }

    /// <summary>Every fault of a group and of the groups in it, each starting with the path of the property.</summary>
    public static IEnumerable<string> Of(object group, string path = "")
    {
        foreach (var property in group.GetType().GetProperties().Where(p => p.CanWrite))
        {
            var value = property.GetValue(group);
            if (value is not null && IsGroup(value.GetType()))
                foreach (var fault in Of(value, $"{path}{property.Name}.")) yield return fault;
            else if (Of(property, value) is { } fault)
                yield return $"{path}{property.Name} {fault}";
        }
        if (group is not IValidatableObject several) yield break;
        foreach (var fault in several.Validate(new ValidationContext(group))) yield return path + fault.ErrorMessage;
    }

    /// <summary>What is wrong with a path; null if nothing is.</summary>
    public static string? OfPath(string property, string? path) => path?.IndexOfAny(Path.GetInvalidPathChars()) is >= 0 and var at
        ? $"{property} has the character U+{(int)path[at]:X4} at position {at + 1}, which no path can have; remove it." : null;

    /// <summary>A range in words: "0 to 64", "greater than 0", "at least 1".</summary>
    public static string Describe(RangeAttribute range)
    {
        string least = Text(range.Minimum), most = Text(range.Maximum);
        var isOpen = range.Maximum is int.MaxValue or double.MaxValue or (double)float.MaxValue;
        return (range.MinimumIsExclusive, range.MaximumIsExclusive, isOpen) switch
        {
            (true, _, true) => $"greater than {least}",
            (false, _, true) => $"at least {least}",
            (true, false, _) => $"greater than {least} and at most {most}",
            (false, true, _) => $"at least {least} and less than {most}",
            (true, true, _) => $"greater than {least} and less than {most}",
            _ => $"{least} to {most}",
        };
    }

    private static string? Of(PropertyInfo property, object? value)
    {
        var isNullable = Nullable.GetUnderlyingType(property.PropertyType) is not null || IsNullableReference(property);
        var orNull = isNullable ? ", or null" : "";
        if (value is null && isNullable) return null;
        if (property.PropertyType == typeof(string))
            return string.IsNullOrWhiteSpace((string?)value) ? $"is empty; give a {(isNullable ? "value" : "name")}{orNull}." : null;
        if (value is null) return "is null; give a value.";
        if (value is Enum member) return IsDefined(member) ? null : $"is {member}; use a member of {member.GetType().Name}{orNull}.";
        var range = property.GetCustomAttribute<RangeAttribute>();
        return range is null || range.IsValid(value) ? null : $"is {Text(value)}; it must be {Describe(range)}{orNull}.";
    }

    /// <summary>Whether a setting is itself a record of settings.</summary>
    private static bool IsGroup(Type type) => type.Assembly == typeof(OptionFaults).Assembly &&
        (type.IsAssignableTo(typeof(IValidatableObject)) || type.GetProperties().Any(p => p.IsDefined(typeof(RangeAttribute))));

    private static bool IsNullableReference(PropertyInfo property)
    {
        lock (Nullability) return Nullability.Create(property).WriteState == NullabilityState.Nullable;   // not safe for threads
    }

    private static bool IsDefined(Enum value)
    {
        var type = value.GetType();
        if (!type.IsDefined(typeof(FlagsAttribute), inherit: false)) return Enum.IsDefined(type, value);
        var known = Enum.GetValues(type).Cast<object>().Aggregate(0L, (all, m) => all | Convert.ToInt64(m, CultureInfo.InvariantCulture));
        return (Convert.ToInt64(value, CultureInfo.InvariantCulture) & ~known) == 0;
    }

    private static string Text(object value) => Convert.ToString(value, CultureInfo.InvariantCulture)!;
}
