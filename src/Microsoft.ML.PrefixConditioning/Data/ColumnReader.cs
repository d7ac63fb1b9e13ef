using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Finds, checks and reads the columns that this package accepts, in all their types.</summary>
internal static class ColumnReader
{
    /// <summary>Whether a column of this type can hold images: text, a vector of bytes, or ML.NET's image.</summary>
    public static bool IsImageColumn(DataViewType type) => type is TextDataViewType or ImageDataViewType || IsByteVector(type);

    /// <summary>Whether a column gives texts: text, or key with text key values.</summary>
    public static bool IsTextOrKeyColumn(DataViewSchema.Column column) => column.Type is TextDataViewType
        || (column.Type is KeyDataViewType && column.HasKeyValues(TextDataViewType.Instance));

    /// <summary>Whether this is a vector of bytes: an encoded file.</summary>
    public static bool IsByteVector(DataViewType type) => type is VectorDataViewType vector && vector.ItemType == NumberDataViewType.Byte;

    /// <summary>The image column of that name.</summary>
    /// <param name="input">Schema of the input.</param>
    /// <param name="name">Name of the column.</param>
    /// <param name="setting">The option or argument that names another column.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such column, or its type is not an image's.</exception>
    public static DataViewSchema.Column RequireImage(DataViewSchema input, string name, string setting)
    {
        var column = Require(input, name, setting);
        return IsImageColumn(column.Type) ? column : throw new ArgumentOutOfRangeException(nameof(input),
            $"Column '{name}' is {column.Type}; an image column is text (a path), a vector of bytes (an encoded file) or an image. " +
            $"Set {setting} to the right column.");
    }

    /// <summary>The text column of that name.</summary>
    /// <inheritdoc cref="RequireImage" path="/param|/exception"/>
    public static DataViewSchema.Column RequireText(DataViewSchema input, string name, string setting)
    {
        var column = Require(input, name, setting);
        return column.Type is TextDataViewType ? column : throw new ArgumentOutOfRangeException(nameof(input),
            $"Column '{name}' is {column.Type}; captions and class names are text. Set {setting} to the right column" +
            (column.Type is KeyDataViewType ? ", or turn the key back to text with MapKeyToValue." : "."));
    }

    /// <summary>The column of that name, as text or key with text key values.</summary>
    /// <inheritdoc cref="RequireImage" path="/param|/exception"/>
    public static DataViewSchema.Column RequireTextOrKey(DataViewSchema input, string name, string setting)
    {
        var column = Require(input, name, setting);
        if (IsTextOrKeyColumn(column)) return column;
        if (column.Type is KeyDataViewType) throw KeyWithoutNames(name, $"{column.Type}", setting);
        throw new ArgumentOutOfRangeException(nameof(input),
            $"Column '{name}' is {column.Type}; text, or key with text key values, is needed. " +
            $"Set {setting} to the right column, or convert it to text with Conversion.ConvertType.");
    }

    /// <summary>The column of weights, or null if there is none of that name.</summary>
    /// <inheritdoc cref="RequireImage" path="/param|/exception"/>
    public static DataViewSchema.Column? OptionalWeight(DataViewSchema input, string name, string setting)
    {
        if (input.GetColumnOrNull(name) is not { } column || column.Type == NumberDataViewType.Single) return input.GetColumnOrNull(name);
        throw new ArgumentOutOfRangeException(nameof(input),
            $"Column '{name}' is {column.Type}; weights of rows are Single. Convert it with Conversion.ConvertType, or set {setting} to " +
            "another column.");
    }

    /// <summary>The error for a key column without names: keys of numbers, or keys without values.</summary>
    public static ArgumentOutOfRangeException KeyWithoutNames(string name, string type, string setting) => new(nameof(name),
        $"Column '{name}' is {type} without text key values, so its keys cannot be matched to names. Create the keys from names, with " +
        $"MapValueToKey of a text column, or set {setting} to another column.");

    /// <summary>The column of that name, whatever its type.</summary>
    /// <inheritdoc cref="RequireImage" path="/param|/exception"/>
    public static DataViewSchema.Column Require(DataViewSchema input, string name, string setting)
    {
        if (input.GetColumnOrNull(name) is { } column) return column;
        var names = input.Where(c => !c.IsHidden).Select(c => c.Name).ToArray();
        throw new ArgumentOutOfRangeException(nameof(input),
            $"There is no column '{name}'; the input has {NearName.List(names)}.{NearName.Question(name, names)} " +
            $"Set {setting} to the right column.");
    }

    /// <summary>Reads an image column of any type; the results are independent of the cursor.</summary>
    public static ValueGetter<ImageReference> ImageGetter(DataViewRow row, DataViewSchema.Column column)
    {
        switch (column.Type)
        {
            case TextDataViewType:
                var text = row.GetGetter<ReadOnlyMemory<char>>(column);
                ReadOnlyMemory<char> locator = default;
                return (ref ImageReference value) =>
                {
                    text(ref locator);
                    value = locator.IsEmpty ? default : ImageReference.FromLocator(locator.ToString());
                };
            case ImageDataViewType:
                var image = row.GetGetter<MLImage>(column);
                // Kept from row to row: a view that owns its images disposes the last one when it gives the next.
                MLImage pixels = null!;
                return (ref ImageReference value) =>
                {
                    image(ref pixels);
                    value = ImageReference.FromImage(pixels);
                };
            case var type when IsByteVector(type):
                var vector = row.GetGetter<VBuffer<byte>>(column);
                VBuffer<byte> bytes = default;
                return (ref ImageReference value) =>
                {
                    vector(ref bytes);
                    value = bytes.Length == 0 ? default : ImageReference.FromEncoded([.. bytes.DenseValues()]);
                };
            default:
                throw new ArgumentOutOfRangeException(nameof(column),
                    $"Column '{column.Name}' is {column.Type}, which is not an image type.");
        }
    }

    /// <summary>Reads text, or a key's text; a missing key gives empty text.</summary>
    public static ValueGetter<ReadOnlyMemory<char>> TextGetter(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type is TextDataViewType) return row.GetGetter<ReadOnlyMemory<char>>(column);
        if (!IsTextOrKeyColumn(column))
            throw new ArgumentOutOfRangeException(nameof(column), $"Column '{column.Name}' is {column.Type}, which is neither text nor " +
                "key with text key values.");
        VBuffer<ReadOnlyMemory<char>> values = default;
        column.GetKeyValues(ref values);
        ReadOnlyMemory<char>[] texts = [.. values.DenseValues()];
        var raw = column.Type.RawType;
        if (raw == typeof(byte)) return KeyTextGetter<byte>(row, column, texts, v => v);
        if (raw == typeof(ushort)) return KeyTextGetter<ushort>(row, column, texts, v => v);
        if (raw == typeof(uint)) return KeyTextGetter<uint>(row, column, texts, v => v);
        return KeyTextGetter<ulong>(row, column, texts, v => v);
    }

    /// <summary>The texts of a column in the order in which they first occur, without empty ones.</summary>
    /// <param name="environment">For cancellation and the log.</param>
    /// <param name="view">The rows.</param>
    /// <param name="column">Texts, or keys with text values.</param>
    /// <exception cref="OperationCanceledException">The environment was canceled.</exception>
    public static string[] DifferentTexts(IHostEnvironment environment, IDataView view, DataViewSchema.Column column)
    {
        var (names, known) = (new List<string>(), new HashSet<string>(StringComparer.Ordinal));
        using var phase = new LongPhase(environment, "Reading labels", "rows");
        using var cursor = view.GetRowCursor([column]);
        var getter = TextGetter(cursor, column);
        ReadOnlyMemory<char> value = default;
        while (cursor.MoveNext())
        {
            phase.Advance();
            getter(ref value);
            if (value.Span.IsWhiteSpace()) continue;
            var text = value.ToString();
            if (known.Add(text)) names.Add(text);
        }
        return [.. names];
    }

    private static ValueGetter<ReadOnlyMemory<char>> KeyTextGetter<T>(
        DataViewRow row, DataViewSchema.Column column, ReadOnlyMemory<char>[] texts, Func<T, ulong> widen) where T : struct
    {
        var key = row.GetGetter<T>(column);
        T raw = default;
        return (ref ReadOnlyMemory<char> value) =>
        {
            key(ref raw);
            var one = widen(raw);   // keys count from 1; 0 is missing
            value = one == 0 || one > (ulong)texts.Length ? default : texts[one - 1];
        };
    }
}
