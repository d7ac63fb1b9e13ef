using Parquet;
using Parquet.Schema;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Writes small Parquet files.</summary>
internal static class ParquetFile
{
    /// <summary>A file with columns image, of bytes, and caption.</summary>
    /// <param name="path">The file.</param>
    /// <param name="rowsPerGroup">Rows of each row group.</param>
    /// <param name="rows">Images and captions.</param>
    public static string Write(string path, int rowsPerGroup, params (byte[]? Image, string? Caption)[] rows) =>
        Write(path, rowsPerGroup, ("image", [.. rows.Select(r => r.Image)]), ("caption", [.. rows.Select(r => r.Caption)]));

    /// <summary>A file of columns of bytes, texts, numbers or Booleans; a dot in a name makes a structure.</summary>
    public static string Write(string path, int rowsPerGroup, params (string Name, object?[] Values)[] columns)
    {
        WriteAsync(path, rowsPerGroup, columns).GetAwaiter().GetResult();
        return path;
    }

    private static async Task WriteAsync(string path, int rowsPerGroup, (string Name, object?[] Values)[] columns)
    {
        var fields = columns.Select(c => new DataField(c.Name[(c.Name.IndexOf('.') + 1)..], c.Values.First(v => v is not null)!.GetType(),
            c.Values.Contains(null) || c.Values[0] is byte[] or string)).ToArray();
        var top = columns.Zip(fields).GroupBy(c => c.First.Name.Split('.')[0]).Select(g =>
            g.First().First.Name == g.Key ? (Field)g.First().Second : new StructField(g.Key, [.. g.Select(c => c.Second)])).ToArray();
        await using var stream = File.Create(path);
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(top), stream);
        for (var start = 0; start < columns[0].Values.Length; start += rowsPerGroup)
        {
            using var group = writer.CreateRowGroup();
            foreach (var ((_, all), field) in columns.Zip(fields))
            {
                var values = all.Skip(start).Take(rowsPerGroup).ToArray();
                await (all.First(v => v is not null) switch
                {
                    byte[] => group.WriteAsync(field, [.. values.Cast<byte[]>()]),
                    string => group.WriteAsync(field, [.. values.Cast<string>()]),
                    int => Numbers<int>(group, field, values),
                    long => Numbers<long>(group, field, values),
                    float => Numbers<float>(group, field, values),
                    bool => Numbers<bool>(group, field, values),
                    var other => throw new ArgumentException($"{other!.GetType()} is not written."),
                });
            }
        }
    }

    private static Task Numbers<T>(ParquetRowGroupWriter group, DataField field, object?[] values) where T : struct => field.IsNullable
        ? group.WriteAsync<T>(field, values.Select(v => (T?)v).ToArray())
        : group.WriteAsync<T>(field, values.Select(v => (T)v!).ToArray());
}
