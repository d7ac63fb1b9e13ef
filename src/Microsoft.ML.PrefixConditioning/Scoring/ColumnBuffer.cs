using System.Reflection;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One column's values of the rows that were read ahead.</summary>
internal abstract class ColumnBuffer : IDisposable
{
    private static readonly MethodInfo TypedFactory = typeof(ColumnBuffer).GetMethod(nameof(CreateFactory), BindingFlags.NonPublic | BindingFlags.Static)!;

    /// <summary>Keeps the value of the row that the source stands on.</summary>
    public abstract void Read(int row);

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Makes buffers for a column of a cursor; the argument of the result is their capacity.</summary>
    public static Func<int, ColumnBuffer> Factory(DataViewRow source, DataViewSchema.Column column) =>
        (Func<int, ColumnBuffer>)TypedFactory.MakeGenericMethod(column.Type.RawType).Invoke(null, [source, column])!;

    private static Func<int, ColumnBuffer> CreateFactory<T>(DataViewRow source, DataViewSchema.Column column)
    {
        var getter = source.GetGetter<T>(column);
        var copy = (Copy<T>)CopyOf(typeof(T));
        return capacity => new ColumnBuffer<T>(getter, copy, capacity);
    }

    /// <summary>How a value is handed out so that the receiver cannot change or dispose the kept one.</summary>
    private static Delegate CopyOf(Type type)
    {
        if (type == typeof(MLImage)) return new Copy<MLImage>(CopyImage);
        var method = type.IsGenericType && type.GetGenericTypeDefinition() == typeof(VBuffer<>)
            ? typeof(ColumnBuffer).GetMethod(nameof(CopyVector), BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(type.GetGenericArguments())
            : typeof(ColumnBuffer).GetMethod(nameof(CopyValue), BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(type);
        return method.CreateDelegate(typeof(Copy<>).MakeGenericType(type));
    }

    private static void CopyValue<T>(in T kept, ref T value) => value = kept;

    private static void CopyVector<T>(in VBuffer<T> kept, ref VBuffer<T> value) => kept.CopyTo(ref value);

    private static void CopyImage(in MLImage kept, ref MLImage value) =>
        value = kept is null ? null! : MLImage.CreateFromPixels(kept.Width, kept.Height, kept.PixelFormat, kept.Pixels);
}

/// <summary>Gives out a copy of a kept value.</summary>
internal delegate void Copy<T>(in T kept, ref T value);

/// <summary>One column's values of the rows that were read ahead.</summary>
internal sealed class ColumnBuffer<T>(ValueGetter<T> getter, Copy<T> copy, int capacity) : ColumnBuffer
{
    private readonly T[] _values = new T[capacity];

    public override void Read(int row) => getter(ref _values[row]);

    /// <summary>Gives out a copy of a row's value.</summary>
    public void CopyTo(int row, ref T value) => copy(in _values[row], ref value);

    public override void Dispose()
    {
        if (typeof(T).IsAssignableTo(typeof(IDisposable)))
            foreach (var value in _values) ((IDisposable?)value)?.Dispose();
    }
}
