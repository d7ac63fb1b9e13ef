using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>docs/options.md is what the options' documentation, attributes and defaults say.</summary>
[TestClass]
public sealed class OptionsPageTests
{
    private const string UpdateVariable = "UPDATE_OPTIONS_PAGE";

    private static readonly Type[] Groups =
    [
        typeof(PrefixClipOptions), typeof(ClipColumns), typeof(OptimizerOptions), typeof(AugmentationOptions), typeof(FineTuningOptions),
        typeof(CheckpointOptions), typeof(TuningOptions), typeof(ClipArchitecture), typeof(ZeroShotClassificationOptions),
        typeof(ClipLoadOptions),
    ];

    private static readonly Dictionary<string, XElement> Documented = XDocument
        .Load(Path.ChangeExtension(typeof(PrefixClipOptions).Assembly.Location, ".xml")).Descendants("member")
        .ToDictionary(m => (string)m.Attribute("name")!, StringComparer.Ordinal);

    [TestMethod]
    public void OptionsPage_Text_IsThatOfTheDocumentation()
    {
        var (path, page) = (Repository.Path("docs/options.md"), Page());
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1") File.WriteAllText(path, page);
        Assert.AreEqual(page, File.ReadAllText(path), "Run the command in docs/options.md, and commit the page.");
    }

    [TestMethod]
    public void Options_DocumentedDefaults_AreTheRealOnes()
    {
        foreach (var (group, property) in Groups.SelectMany(g => Settings(g).Select(p => (g, p))).Where(s => IsSimple(s.p.PropertyType)))
        {
            var value = property.GetValue(Activator.CreateInstance(group));
            var text = value switch
            {
                null => "null",
                Enum member => $"{member.GetType().Name}.{member}",
                _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
            };
            var documented = Text(property, "value");
            Assert.IsTrue(Regex.IsMatch(documented, $"Default [`\"]?{Regex.Escape(text)}[`\"]?([.,;]| \\()"),
                $"{group.Name}.{property.Name} is {text}, not: {documented}");
        }
    }

    [TestMethod]
    public void Options_EveryNumber_HasARange()
    {
        foreach (var (group, property) in Groups.SelectMany(g => Settings(g).Select(p => (g, p))))
            if ((Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType) is var type
                && (type == typeof(int) || type == typeof(double))
                && property.Name != nameof(PrefixClipOptions.Seed))
                Assert.IsNotNull(property.GetCustomAttribute<RangeAttribute>(), $"{group.Name}.{property.Name}");
    }

    private static string Page()
    {
        var page = new StringBuilder("# Options\n\nGenerated from the documentation of the options by\n" +
            $"`{UpdateVariable}=1 dotnet test -c Release test/Microsoft.ML.PrefixConditioning.Tests --filter OptionsPageTests`.\n" +
            "An options object is checked before anything is read; one exception names all settings that are out of their range.\n");
        foreach (var group in Groups)
        {
            page.Append(CultureInfo.InvariantCulture, $"\n## {group.Name}\n\n{Text($"T:{group.FullName}", "summary")}\n\n");
            page.Append("| Setting | Range | Meaning |\n|---|---|---|\n");
            foreach (var property in Settings(group))
            {
                var range = property.GetCustomAttribute<RangeAttribute>() is { } found ? OptionFaults.Describe(found) : "";
                page.Append(CultureInfo.InvariantCulture,
                    $"| `{property.Name}` | {range} | {Text(property, "summary")} {Text(property, "value")} |\n");
            }
        }
        return page.ToString();
    }

    private static IEnumerable<PropertyInfo> Settings(Type group) => group.GetProperties().Where(p => p.CanWrite);

    private static bool IsSimple(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsPrimitive || type.IsEnum || type == typeof(string);
    }

    private static string Text(PropertyInfo property, string element) =>
        Text($"P:{property.DeclaringType!.FullName}.{property.Name}", element);

    private static string Text(string member, string element)
    {
        var nodes = Documented[member].Element(element) ?? throw new AssertFailedException($"{member} has no <{element}>.");
        var text = string.Concat(nodes.Nodes().Select(n => n switch
        {
            XElement { Name.LocalName: "see" } see => $"`{Name((string)see.Attribute("cref")!)}`",
            XElement other => $"`{other.Value}`",
            _ => n.ToString(),
        }));
        return Regex.Replace(text, @"\s+", " ").Trim().Replace("|", "\\|", StringComparison.Ordinal);
    }

    /// <summary>"P:Namespace.Type.Member" to "Type.Member", "T:Namespace.Type" to "Type".</summary>
    private static string Name(string reference)
    {
        var parts = reference[2..].Split('(')[0].Split('.');
        return reference[0] == 'T' ? parts[^1] : string.Join('.', parts[^2..]);
    }
}
