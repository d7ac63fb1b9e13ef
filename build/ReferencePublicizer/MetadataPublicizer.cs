using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace Microsoft.ML.PrefixConditioning.Build;

/// <summary>Makes the internal and private members of a compiled assembly public, by changing flag bits in its metadata only.</summary>
/// <remarks>
/// The copy is for the compiler: it has the same length, identity and MVID, and is never loaded or shipped. Rows of the metadata
/// tables have a fixed size, so a flag's place is table start + row * row size + column (ECMA-335, II.22.15, II.22.26 and II.22.37).
/// Left alone, because the compiler would trip over it:
/// <list type="bullet">
/// <item>what compilers generate (names with angle brackets) and explicit interface implementations (names with a dot): C# cannot
/// name them;</item>
/// <item>types in System and Microsoft.CodeAnalysis: copies of framework attributes, which would clash with the real ones;</item>
/// <item>fields that share their name with an event or a property of their type;</item>
/// <item>protected virtual methods: an override could no longer say "protected", and would enter the public surface;</item>
/// <item>static constructors.</item>
/// </list>
/// </remarks>
internal static class MetadataPublicizer
{
    // Columns: a method row begins with RVA (4 bytes) and implementation flags (2 bytes); the others begin with their flags.
    private const int TypeFlagsColumn = 0, FieldFlagsColumn = 0, MethodFlagsColumn = 6;

    /// <summary>The assembly with public members.</summary>
    /// <param name="assembly">The whole file; it is not changed.</param>
    /// <exception cref="BadImageFormatException">The file is not a managed assembly.</exception>
    public static byte[] Apply(byte[] assembly)
    {
        using var file = new PEReader(ImmutableArray.Create(assembly));
        if (!file.HasMetadata) throw new BadImageFormatException("The file has no .NET metadata.");
        var reader = file.GetMetadataReader();
        var copy = assembly.ToArray();
        var rows = new RowFlags(copy, reader, file.PEHeaders.MetadataStartOffset);

        foreach (var handle in reader.TypeDefinitions)
        {
            var type = reader.GetTypeDefinition(handle);
            if (!CanBeNamed(reader.GetString(type.Name)) || IsFrameworkCopy(reader, handle)) continue;
            rows.Write32(TableIndex.TypeDef, handle, TypeFlagsColumn, Public(type.Attributes));
            foreach (var method in type.GetMethods().Where(m => IsPublicizable(reader, m)))
                rows.Write16(TableIndex.MethodDef, method, MethodFlagsColumn,
                    (reader.GetMethodDefinition(method).Attributes & ~MethodAttributes.MemberAccessMask) | MethodAttributes.Public);
            var taken = NamesOfPropertiesAndEvents(reader, type);
            foreach (var field in type.GetFields())
            {
                var definition = reader.GetFieldDefinition(field);
                var name = reader.GetString(definition.Name);
                if (!CanBeNamed(name) || taken.Contains(name)) continue;
                rows.Write16(TableIndex.Field, field, FieldFlagsColumn,
                    (definition.Attributes & ~FieldAttributes.FieldAccessMask) | FieldAttributes.Public);
            }
        }
        return copy;
    }

    private static TypeAttributes Public(TypeAttributes attributes)
    {
        var isNested = (attributes & TypeAttributes.VisibilityMask) >= TypeAttributes.NestedPublic;
        return (attributes & ~TypeAttributes.VisibilityMask) | (isNested ? TypeAttributes.NestedPublic : TypeAttributes.Public);
    }

    private static bool IsPublicizable(MetadataReader reader, MethodDefinitionHandle handle)
    {
        var method = reader.GetMethodDefinition(handle);
        var name = reader.GetString(method.Name);
        if (name != ConstructorInfo.ConstructorName && !CanBeNamed(name)) return false;
        var access = method.Attributes & MethodAttributes.MemberAccessMask;
        var isProtected = access is MethodAttributes.Family or MethodAttributes.FamORAssem;
        return !(isProtected && method.Attributes.HasFlag(MethodAttributes.Virtual));
    }

    private static bool CanBeNamed(string name) => name.AsSpan().IndexOfAny('<', '.') < 0;

    private static bool IsFrameworkCopy(MetadataReader reader, TypeDefinitionHandle handle)
    {
        var type = reader.GetTypeDefinition(handle);
        while (!type.GetDeclaringType().IsNil) type = reader.GetTypeDefinition(type.GetDeclaringType());
        var space = reader.GetString(type.Namespace);
        return space is "System" or "Microsoft.CodeAnalysis" || space.StartsWith("System.", StringComparison.Ordinal);
    }

    private static HashSet<string> NamesOfPropertiesAndEvents(MetadataReader reader, TypeDefinition type) =>
    [
        .. type.GetProperties().Select(p => reader.GetString(reader.GetPropertyDefinition(p).Name)),
        .. type.GetEvents().Select(e => reader.GetString(reader.GetEventDefinition(e).Name)),
    ];

    /// <summary>Writes the flags column of a row of a metadata table.</summary>
    private readonly struct RowFlags(byte[] file, MetadataReader reader, int metadataStart)
    {
        public void Write32(TableIndex table, EntityHandle row, int column, TypeAttributes flags) =>
            BinaryPrimitives.WriteInt32LittleEndian(At(table, row, column), (int)flags);

        public void Write16(TableIndex table, EntityHandle row, int column, Enum flags) =>
            BinaryPrimitives.WriteUInt16LittleEndian(At(table, row, column), Convert.ToUInt16(flags, null));

        private Span<byte> At(TableIndex table, EntityHandle row, int column)
        {
            var start = metadataStart + reader.GetTableMetadataOffset(table);
            return file.AsSpan(start + (reader.GetRowNumber(row) - 1) * reader.GetTableRowSize(table) + column);
        }
    }
}
