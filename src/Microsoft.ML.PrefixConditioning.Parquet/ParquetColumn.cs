using System.Globalization;
using Microsoft.ML.Data;
using Parquet;
using Parquet.Schema;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A column of Parquet files: the values of one row group at a time.</summary>
/// <param name="type">Its type in ML.NET.</param>
/// <param name="hasMissing">Whether that type has a missing value; where it has none, null is a fault.</param>
internal abstract class ParquetColumn(DataViewType type, bool hasMissing)
{
    private static readonly Dictionary<Type, Func<ParquetColumn>> Known = new()
    {
        [typeof(ReadOnlyMemory<char>)] = () => new OfTexts(),
        [typeof(ReadOnlyMemory<byte>)] = () => new OfBytes(),
        [typeof(bool)] = () => new Of<bool>(BooleanDataViewType.Instance),
        [typeof(sbyte)] = () => new Of<sbyte>(NumberDataViewType.SByte),
        [typeof(byte)] = () => new Of<byte>(NumberDataViewType.Byte),
        [typeof(short)] = () => new Of<short>(NumberDataViewType.Int16),
        [typeof(ushort)] = () => new Of<ushort>(NumberDataViewType.UInt16),
        [typeof(int)] = () => new Of<int>(NumberDataViewType.Int32),
        [typeof(uint)] = () => new Of<uint>(NumberDataViewType.UInt32),
        [typeof(long)] = () => new Of<long>(NumberDataViewType.Int64),
        [typeof(ulong)] = () => new Of<ulong>(NumberDataViewType.UInt64),
        [typeof(float)] = () => new Of<float>(NumberDataViewType.Single, float.NaN),
        [typeof(double)] = () => new Of<double>(NumberDataViewType.Double, double.NaN),
    };

    /// <summary>The type in ML.NET.</summary>
    public DataViewType Type => type;

    /// <summary>Whether the type has a missing value.</summary>
    public bool HasMissing => hasMissing;

    /// <summary>Whether values are texts, or whole numbers that stand for texts.</summary>
    public bool IsTextOrCode => type is TextDataViewType || (type is NumberDataViewType && !hasMissing);

    /// <summary>Whether values are bytes.</summary>
    public bool IsBytes => this is OfBytes;

    /// <summary>A column for a field's values; null for lists and for types that are not supported.</summary>
    public static ParquetColumn? For(DataField field) =>
        field.MaxRepetitionLevel == 0 && Known.TryGetValue(field.ClrType, out var create) ? create() : null;

    /// <summary>A column of bytes.</summary>
    public static ParquetColumn ForBytes() => new OfBytes();

    /// <summary>What a field's values are, for messages.</summary>
    public static string Describe(DataField field) => (field.MaxRepetitionLevel > 0 ? "a list of " : "")
        + (field.ClrType == typeof(ReadOnlyMemory<char>) ? "text" : field.ClrType == typeof(ReadOnlyMemory<byte>) ? "bytes"
            : field.ClrType.Name);

    /// <summary>Reads the values of a row group.</summary>
    public abstract Task ReadAsync(ParquetRowGroupReader group, DataField field, int rows);

    /// <summary>Whether a row's value is null.</summary>
    public abstract bool IsNull(int row);

    /// <summary>A row's value as text; null if it is null.</summary>
    public abstract string? Text(int row);

    /// <summary>A row's bytes; null if they are null.</summary>
    public virtual byte[]? Bytes(int row) => throw new InvalidOperationException("The column has no bytes.");

    /// <summary>A <see cref="ValueGetter{TValue}"/> of the current row.</summary>
    public abstract Delegate Getter(Func<int> row);

    private sealed class OfTexts() : ParquetColumn(TextDataViewType.Instance, hasMissing: true)
    {
        private string?[] _values = [];

        public override Task ReadAsync(ParquetRowGroupReader group, DataField field, int rows) =>
            group.ReadAsync(field, (_values = new string?[rows]).AsMemory()!).AsTask();

        public override bool IsNull(int row) => _values[row] is null;

        public override string? Text(int row) => _values[row];

        public override Delegate Getter(Func<int> row) =>
            new ValueGetter<ReadOnlyMemory<char>>((ref ReadOnlyMemory<char> value) => value = _values[row()].AsMemory());
    }

    private sealed class OfBytes() : ParquetColumn(new VectorDataViewType(NumberDataViewType.Byte), hasMissing: true)
    {
        private byte[]?[] _values = [];

        public override Task ReadAsync(ParquetRowGroupReader group, DataField field, int rows) =>
            group.ReadAsync(field, (_values = new byte[]?[rows]).AsMemory()!).AsTask();

        public override bool IsNull(int row) => _values[row] is null;

        public override string? Text(int row) => null;

        public override byte[]? Bytes(int row) => _values[row];

        public override Delegate Getter(Func<int> row) => throw new InvalidOperationException("Images are given as locators.");
    }

    private sealed class Of<T>(DataViewType type, T? missing = null) : ParquetColumn(type, missing is not null)
        where T : struct, IConvertible
    {
        private T?[] _values = [];

        public override Task ReadAsync(ParquetRowGroupReader group, DataField field, int rows) =>
            group.ReadAsync<T>(field, (_values = new T?[rows]).AsMemory()).AsTask();

        public override bool IsNull(int row) => _values[row] is null;

        public override string? Text(int row) => _values[row]?.ToString(CultureInfo.InvariantCulture);

        public override Delegate Getter(Func<int> row) => new ValueGetter<T>((ref T value) => value = _values[row()] ?? missing
            ?? throw new InvalidDataException("A value is null, but the footer of its file counts no nulls. The file is damaged."));
    }
}
