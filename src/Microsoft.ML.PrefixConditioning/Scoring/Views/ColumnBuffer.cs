using System.Reflection;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One column's values of the rows that were read ahead.</summary>
internal abstract class ColumnBuffer : IDisposable
{
    private static readonly MethodInfo TypedFactory = Method(nameof(CreateFactory));

    /// <summary>Stores the value of the source's current row.</summary>
    public abstract void Read(int row);

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Makes buffers for a column of a cursor; the argument of the result is their capacity.</summary>
    public static Func<int, ColumnBuffer> Factory(DataViewRow source, DataViewSchema.Column column) =>
        (Func<int, ColumnBuffer>)TypedFactory.MakeGenericMethod(column.Type.RawType)
            .Invoke(null, BindingFlags.DoNotWrapExceptions, binder: null, [source, column], culture: null)!;

    /// <summary>A getter of copies that, as ML.NET's own columns of images do, disposes the image that it gave before when that comes back
    /// for the next one. Values of other types have nothing to dispose.</summary>
    public static ValueGetter<T> DisposingTheLast<T>(ValueGetter<T> getter)
    {
        if (typeof(T) != typeof(MLImage)) return getter;
        MLImage? given = null;
        return (ref T value) =>
        {
            if (given is not null && ReferenceEquals(given, value)) given.Dispose();
            getter(ref value);
            given = value as MLImage;
        };
    }

    private static Func<int, ColumnBuffer> CreateFactory<T>(DataViewRow source, DataViewSchema.Column column)
    {
        if (typeof(T) == typeof(MLImage))
        {
            var imageGetter = OwnImages(source.GetGetter<MLImage>(column));
            return capacity => new ColumnBuffer<MLImage>(imageGetter, CopyImage, capacity);
        }
        var getter = source.GetGetter<T>(column);
        var copy = (Copy<T>)CopyOf(typeof(T));
        return capacity => new ColumnBuffer<T>(getter, copy, capacity);
    }

    /// <summary>How a value is handed out so that the receiver cannot change the kept one.</summary>
    private static Delegate CopyOf(Type type)
    {
        var method = type.IsGenericType && type.GetGenericTypeDefinition() == typeof(VBuffer<>)
            ? Method(nameof(CopyVector)).MakeGenericMethod(type.GetGenericArguments())
            : Method(nameof(CopyValue)).MakeGenericMethod(type);
        return method.CreateDelegate(typeof(Copy<>).MakeGenericType(type));
    }

    private static MethodInfo Method(string name) => typeof(ColumnBuffer).GetMethod(name, BindingFlags.NonPublic | BindingFlags.Static)!;

    /// <summary>Images owned by the buffer; those of the source may belong to the source or to the user.</summary>
    private static ValueGetter<MLImage> OwnImages(ValueGetter<MLImage> source)
    {
        // Kept from row to row: a view that owns its images disposes the last one when it gives the next.
        MLImage image = null!;
        return (ref MLImage value) =>
        {
            source(ref image);
            CopyImage(in image, ref value);
        };
    }

    private static void CopyValue<T>(in T kept, ref T value) => value = kept;

    private static void CopyVector<T>(in VBuffer<T> kept, ref VBuffer<T> value) => kept.CopyTo(ref value);

    private static void CopyImage(in MLImage kept, ref MLImage value)
    {
        value = kept is null ? null! : MLImage.CreateFromPixels(kept.Width, kept.Height, kept.PixelFormat, kept.Pixels);
        if (kept is not null) value.Tag = kept.Tag;
    }
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
        // Only images are copies of our own; disposable values of other types belong to their source.
        if (typeof(T) != typeof(MLImage)) return;
        foreach (var value in _values) ((IDisposable?)value)?.Dispose();
    }
}
