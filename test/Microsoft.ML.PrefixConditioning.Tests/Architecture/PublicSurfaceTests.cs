using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>
/// The library is compiled against copies of ML.NET with public members, so the compiler does not notice a hidden type in a public
/// signature. Here the real assemblies are loaded, and say what is visible.
/// </summary>
[TestClass]
public sealed class PublicSurfaceTests
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    [TestMethod]
    public void Library_PublicSignatures_MentionVisibleTypesOnly()
    {
        var exported = typeof(PrefixClipOptions).Assembly.GetExportedTypes();

        var hidden = exported.SelectMany(HiddenTypes).ToArray();

        Assert.IsGreaterThan(15, exported.Length);
        Assert.IsEmpty(hidden, string.Join(Environment.NewLine, hidden));
    }

    [TestMethod]
    public void TextRepair_PublicMethods_ConvertATextIntoAText()
    {
        var methods = typeof(TextRepair).Assembly.GetExportedTypes().SelectMany(t =>
            t.GetMembers(Declared & ~BindingFlags.NonPublic)).ToArray();

        Assert.HasCount(4, methods);
        foreach (var method in methods.Cast<MethodInfo>())
            Assert.AreEqual("System.String(System.String)",
                $"{method.ReturnType}({string.Join(", ", method.GetParameters().Select(p => p.ParameterType))})");
    }

    [TestMethod]
    public void Parquet_PublicSurface_IsItsCatalog() =>
        Assert.AreEqual(typeof(ParquetCatalog), typeof(ParquetCatalog).Assembly.GetExportedTypes().Single());

    [TestMethod]
    public void AI_PublicSurface_IsItsExtensionMethods() => Assert.AreSequenceEqual(
        [nameof(ClipEmbeddings), nameof(PrefixClipServices)],
        typeof(ClipEmbeddings).Assembly.GetExportedTypes().Select(t => t.Name).Order(StringComparer.Ordinal).ToArray());

    [TestMethod]
    public void Library_PublicTypes_AreInTheTwoNamespaces()
    {
        string[] allowed = ["Microsoft.ML", "Microsoft.ML.PrefixConditioning"];

        var elsewhere = typeof(PrefixClipOptions).Assembly.GetExportedTypes().Where(t => !allowed.Contains(t.Namespace)).Select(t =>
            t.FullName).ToArray();

        Assert.IsEmpty(elsewhere, string.Join(", ", elsewhere));
    }

    [TestMethod]
    public void Library_LoadedMlNet_IsTheOrdinaryOne()
    {
        Assert.IsTrue(typeof(IHostEnvironment).Assembly.GetType("Microsoft.ML.Runtime.Contracts", throwOnError: true)!.IsNotPublic);
        Assert.IsTrue(typeof(MLContext).Assembly.GetType("Microsoft.ML.Data.IRowMapper", throwOnError: true)!.IsNotPublic);
    }

    [TestMethod]
    public void HiddenTypes_TypeWithAHiddenInterface_NamesBoth()
    {
        var found = HiddenTypes(typeof(ShowsTooMuch)).ToArray();

        Assert.HasCount(2, found);
        Assert.Contains("ShowsTooMuch: interface", found[0]);
        Assert.Contains("IHidden", found[0]);
        Assert.Contains("ShowsTooMuch.Take", found[1]);
    }

    /// <summary>One line for every mention of a type that users of the assembly cannot see.</summary>
    private static IEnumerable<string> HiddenTypes(Type type)
    {
        foreach (var (place, mentioned) in Mentions(type))
            foreach (var part in Parts(mentioned))
                if (!part.IsVisible) yield return $"{type.Name}{place} mentions {part.FullName}, which is not visible in " +
                    $"{part.Assembly.GetName().Name}.";
    }

    private static IEnumerable<(string Place, Type Mentioned)> Mentions(Type type)
    {
        if (type.BaseType is { } parent) yield return (": base type", parent);
        foreach (var implemented in type.GetInterfaces()) yield return (": interface", implemented);
        foreach (var constraint in Constraints(type.IsGenericType ? type.GetGenericArguments() : [])) yield return (": constraint",
            constraint);
        foreach (var field in type.GetFields(Declared).Where(f =>
            f.IsPublic || f.IsFamily || f.IsFamilyOrAssembly)) yield return ($".{field.Name}", field.FieldType);
        foreach (var method in type.GetMembers(Declared).OfType<MethodBase>().Where(m => m.IsPublic || m.IsFamily || m.IsFamilyOrAssembly))
        {
            foreach (var parameter in method.GetParameters()) yield return ($".{method.Name}", parameter.ParameterType);
            if (method is MethodInfo { ReturnType: var result }) yield return ($".{method.Name}", result);
            foreach (var constraint in Constraints(method.IsGenericMethod ? method.GetGenericArguments()
                : [])) yield return ($".{method.Name}: constraint", constraint);
        }
    }

    private static IEnumerable<Type> Constraints(Type[] arguments) =>
        arguments.Where(a => a.IsGenericParameter).SelectMany(a => a.GetGenericParameterConstraints());

    private static IEnumerable<Type> Parts(Type type)
    {
        if (type.HasElementType) return Parts(type.GetElementType()!);
        if (type.IsGenericParameter) return [];
        return type.IsGenericType ? [type.GetGenericTypeDefinition(), .. type.GetGenericArguments().SelectMany(Parts)] : [type];
    }

    private interface IHidden;

    private sealed class ShowsTooMuch : IHidden
    {
        public static void Take(List<IHidden[]> hidden) => Assert.IsNotNull(hidden);
    }
}
