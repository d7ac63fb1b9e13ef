using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning.Build;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The build tool of build/ReferencePublicizer, whose code is compiled into this assembly.</summary>
[TestClass]
public sealed class ReferencePublicizerTests
{
    private static readonly string Core = typeof(ITransformer).Assembly.Location;
    private static readonly string Data = typeof(TextLoader).Assembly.Location;

    private string _folder = "";

    [TestInitialize]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory().FullName;

    [TestCleanup]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    [DataRow("Core")]
    [DataRow("Data")]
    public void Apply_MlNetAssembly_OnlyAccessBitsDiffer(string name)
    {
        var original = File.ReadAllBytes(name == "Core" ? Core : Data);
        var copy = MetadataPublicizer.Apply(original);
        Assert.HasCount(original.Length, copy);
        // In all three tables access is the lowest three bits of a little-endian number, so a changed row is one changed byte.
        var changed = Enumerable.Range(0, original.Length).Where(i => original[i] != copy[i]).ToArray();
        Assert.IsTrue(changed.All(i => ((original[i] ^ copy[i]) & ~0x7) == 0));

        var (before, after) = (Describe(original), Describe(copy));
        Assert.AreEqual(before.Mvid, after.Mvid);
        Assert.IsTrue(before.Members.Select(m => m.WithoutAccess).SequenceEqual(after.Members.Select(m => m.WithoutAccess)));
        Assert.HasCount(before.Members.Zip(after.Members).Count(p => p.First.Access != p.Second.Access), changed);
        Assert.IsGreaterThan(100, changed.Length);
    }

    [TestMethod]
    public void Apply_TwiceOverTheSameBytes_ChangesNothingMore()
    {
        var once = MetadataPublicizer.Apply(File.ReadAllBytes(Core));
        CollectionAssert.AreEqual(once, MetadataPublicizer.Apply(once));
    }

    [TestMethod]
    [DataRow("Microsoft.ML.ModelSaveContext", "SetVersionInfo")]
    [DataRow("Microsoft.ML.ModelLoadContext", "CheckAtModel")]
    [DataRow("Microsoft.ML.VersionInfo", ".ctor")]
    [DataRow("Microsoft.ML.LoadableClassAttribute", ".ctor")]
    [DataRow("Microsoft.ML.Data.IRowMapper", "CreateGetters")]
    [DataRow("Microsoft.ML.Data.RowToRowMapperTransform", ".ctor")]
    [DataRow("Microsoft.ML.Data.CatalogUtils", "GetEnvironment")]
    [DataRow("Microsoft.ML.SchemaShape.Column", ".ctor")]
    public void Apply_WhatASavedTransformerNeeds_IsPublic(string type, string method)
    {
        var copies = new[] { Core, Data }.Select(path => MetadataPublicizer.Apply(File.ReadAllBytes(path)));
        var members = copies.SelectMany(copy => Describe(copy).Members).ToArray();
        Assert.IsTrue(members.Any(m => m.Name == type && m.Access == "public"), $"{type} is missing or not public.");
        var methods = members.Where(m => m.Name.StartsWith($"{type}::{method} ", StringComparison.Ordinal)).ToArray();
        Assert.IsNotEmpty(methods);
        Assert.IsTrue(methods.All(m => m.Access == "public"));
    }

    [TestMethod]
    [DataRow("private field", "::_plain", "public")]
    [DataRow("private method", "::Hidden ", "public")]
    [DataRow("internal abstract method", "::InternalAbstract ", "public")]
    [DataRow("private nested type", ".Nested", "public")]
    [DataRow("protected virtual method", "::ProtectedVirtual ", "protected")]
    [DataRow("protected method", "::ProtectedPlain ", "public")]
    [DataRow("explicit implementation", "::System.IDisposable.Dispose ", "private")]
    [DataRow("field of an event", "::Happened", "private")]
    [DataRow("backing field", "::<Value>k__BackingField", "private")]
    [DataRow("static constructor", "::.cctor ", "private")]
    public void Apply_MembersOfEveryKind_AreOpenedOrLeftAsStated(string kind, string suffix, string expected)
    {
        const string Specimen = "Microsoft.ML.PrefixConditioning.Tests.ReferencePublicizerTests.Specimen";
        var copy = Describe(MetadataPublicizer.Apply(File.ReadAllBytes(typeof(ReferencePublicizerTests).Assembly.Location)));
        var member = copy.Members.Single(m => suffix.EndsWith(' ')
            ? m.Name.StartsWith(Specimen + suffix, StringComparison.Ordinal)
            : m.Name == Specimen + suffix);
        Assert.AreEqual(expected, member.Access, kind);
    }

    [TestMethod]
    public void Apply_FrameworkAttributeCopy_IsLeftInternal()
    {
        // The library's own IgnoresAccessChecksToAttribute lies in a System namespace.
        var library = Describe(MetadataPublicizer.Apply(File.ReadAllBytes(typeof(PrefixClipOptions).Assembly.Location)));
        var attribute = library.Members.Single(m => m.Name == "System.Runtime.CompilerServices.IgnoresAccessChecksToAttribute");
        Assert.AreEqual("internal", attribute.Access);
    }

    [TestMethod]
    public void Run_TwoAssemblies_WritesBothAndNothingElse()
    {
        var output = Path.Combine(_folder, "new");
        Assert.AreEqual((0, ""), Run(output, Core, Data));
        var written = Directory.GetFileSystemEntries(output).Select(Path.GetFileName).Order(StringComparer.Ordinal);
        Assert.AreEqual("Microsoft.ML.Core.dll Microsoft.ML.Data.dll", string.Join(' ', written));
        var copy = File.ReadAllBytes(Path.Combine(output, "Microsoft.ML.Core.dll"));
        CollectionAssert.AreEqual(MetadataPublicizer.Apply(File.ReadAllBytes(Core)), copy);
    }

    [TestMethod]
    public void Run_NotAnAssembly_ReportsAnErrorInTheFormOfMSBuild()
    {
        var file = Path.Combine(_folder, "text.dll");
        File.WriteAllText(file, new string('x', 1000));
        var (code, errors) = Run(_folder, file);
        Assert.AreEqual(1, code);
        Assert.StartsWith($"ReferencePublicizer : error PC0001: '{file}' could not be copied with public members: ", errors);
    }

    [TestMethod]
    public void Run_NoAssembly_SaysWhatIsExpected()
    {
        var (code, errors) = Run(_folder);
        Assert.AreEqual(1, code);
        Assert.Contains("error PC0002: An output folder and at least one assembly are expected.", errors);
    }

    private static (int Code, string Errors) Run(params string[] args)
    {
        using var errors = new StringWriter();
        return (PublicizerCommand.Run(args, errors), errors.ToString());
    }

    private sealed record Member(string Name, int Flags, string Access)
    {
        public (string, int) WithoutAccess => (Name, Flags & ~0x7);
    }

    /// <summary>All types, methods and fields in the order of their tables.</summary>
    private static (Guid Mvid, Member[] Members) Describe(byte[] assembly)
    {
        using var file = new PEReader(ImmutableArray.Create(assembly));
        var reader = file.GetMetadataReader();
        var types = reader.TypeDefinitions.Select(handle =>
        {
            var flags = (int)reader.GetTypeDefinition(handle).Attributes;
            return new Member(NameOf(reader, handle), flags, (TypeAttributes)(flags & 7) switch
            {
                TypeAttributes.Public or TypeAttributes.NestedPublic => "public",
                TypeAttributes.NotPublic => "internal",
                _ => "nested",
            });
        });
        var methods = reader.MethodDefinitions.Select(handle =>
        {
            var method = reader.GetMethodDefinition(handle);
            var type = NameOf(reader, method.GetDeclaringType());
            var name = $"{type}::{reader.GetString(method.Name)} {reader.GetBlobReader(method.Signature).Length}";
            return new Member(name, (int)method.Attributes, AccessOf((int)method.Attributes));
        });
        var fields = reader.FieldDefinitions.Select(handle =>
        {
            var field = reader.GetFieldDefinition(handle);
            var name = $"{NameOf(reader, field.GetDeclaringType())}::{reader.GetString(field.Name)}";
            return new Member(name, (int)field.Attributes, AccessOf((int)field.Attributes));
        });
        return (reader.GetGuid(reader.GetModuleDefinition().Mvid), [.. types, .. methods, .. fields]);
    }

    /// <summary>ECMA-335 gives methods and fields the same numbers.</summary>
    private static string AccessOf(int flags) => (MethodAttributes)(flags & 7) switch
    {
        MethodAttributes.Public => "public",
        MethodAttributes.Private => "private",
        MethodAttributes.Family or MethodAttributes.FamORAssem => "protected",
        _ => "internal",
    };

    private static string NameOf(MetadataReader reader, TypeDefinitionHandle handle)
    {
        var type = reader.GetTypeDefinition(handle);
        var outer = type.GetDeclaringType();
        return $"{(outer.IsNil ? reader.GetString(type.Namespace) : NameOf(reader, outer))}.{reader.GetString(type.Name)}";
    }

    /// <summary>One member of every kind that the tool tells apart; only its metadata is looked at.</summary>
    private abstract class Specimen : IDisposable
    {
        private static readonly object Started;
        private readonly int _plain = 1;

        static Specimen() => Started = new object();

        private event EventHandler? Happened;

        private int Value { get; } = 2;

        internal abstract void InternalAbstract();

        protected virtual void ProtectedVirtual() => Hidden();

        protected int ProtectedPlain() => _plain + Value + Started.GetHashCode();

        void IDisposable.Dispose() => Happened?.Invoke(this, EventArgs.Empty);

        private void Hidden() => Happened += (_, _) => new Nested().ToString();

        private sealed class Nested;
    }
}
