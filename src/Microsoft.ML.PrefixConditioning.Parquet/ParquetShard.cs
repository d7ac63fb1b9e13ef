using Parquet;
using Parquet.Schema;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One Parquet file: the rows of its groups, and those that are left out.</summary>
internal sealed class ParquetShard
{
    private const int BufferBytes = 1 << 12;
    private const int MostRows = 1 << 24;   // in a row group; writers put a million at most into one by default

    private readonly int[] _rows;           // by row group
    private readonly int[]?[] _leftOut;     // by row group: rows with a null, ascending

    private ParquetShard(string path, DataField[] fields, int[] rows) =>
        (Path, Fields, _rows, _leftOut) = (path, fields, rows, new int[]?[rows.Length]);

    /// <summary>After which a file is given up. A footer takes milliseconds.</summary>
    internal static TimeSpan LongestOpening { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Path of the file.</summary>
    public string Path { get; }

    /// <summary>The fields that are read.</summary>
    public DataField[] Fields { get; }

    /// <summary>Number of row groups.</summary>
    public int GroupCount => _rows.Length;

    /// <summary>Number of rows that are not left out.</summary>
    public long Count => Enumerable.Range(0, GroupCount).Sum(group => (long)CountOf(group));

    /// <summary>Number of rows that are left out.</summary>
    public long FaultCount => _leftOut.Sum(rows => rows?.Length ?? 0);

    /// <summary>The first fault; null if there is none.</summary>
    public string? FirstFault { get; private set; }

    /// <summary>Reads a file's footer, and finds the rows with a null. Columns whose statistics count no nulls are not read.</summary>
    /// <param name="path">The file.</param>
    /// <param name="select">Chooses and checks the fields; true for those in which null is a fault.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or a column is missing or of a wrong type.</exception>
    public static ParquetShard Open(string path, Func<string, ParquetSchema, (DataField Field, bool IsRequired)[]> select)
    {
        var schema = Use(path, reader => Task.FromResult(reader.Schema));
        var fields = select(path, schema);
        var required = fields.Where(f => f is { IsRequired: true, Field.MaxDefinitionLevel: > 0 }).Select(f => f.Field).ToArray();
        return Use(path, async reader =>
        {
            var rows = new int[reader.RowGroupCount];
            for (var i = 0; i < rows.Length; i++) rows[i] = RowsOf(reader, i);
            var shard = new ParquetShard(path, [.. fields.Select(f => f.Field)], rows);
            for (var i = 0; i < rows.Length; i++) await shard.FindNullsAsync(reader, i, required).ConfigureAwait(false);
            return shard;
        });
    }

    /// <summary>Reads columns of one row group.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or the row group does not exist.</exception>
    public static int ReadGroup(string path, int group, IEnumerable<(ParquetColumn Column, string Field)> columns) =>
        Use(path, async reader =>
        {
            var rows = RowsOf(reader, group);
            using var groupReader = reader.OpenRowGroupReader(group);
            foreach (var (column, name) in columns)
                await column.ReadAsync(groupReader, reader.Schema.DataFields.Single(f => NameOf(f) == name), rows).ConfigureAwait(false);
            return rows;
        });

    /// <summary>The name of a field, with a dot between a structure and its part.</summary>
    public static string NameOf(DataField field) => string.Join('.', field.Path.ToList());

    /// <summary>Number of a group's rows that are not left out.</summary>
    public int CountOf(int group) => _rows[group] - (_leftOut[group]?.Length ?? 0);

    /// <summary>The rows of a group, without those that are left out.</summary>
    public int[] RowsOf(int group)
    {
        var rows = Enumerable.Range(0, _rows[group]);
        return [.. _leftOut[group] is { } leftOut ? rows.Except(leftOut) : rows];
    }

    private async Task FindNullsAsync(ParquetReader reader, int group, DataField[] required)
    {
        using var groupReader = reader.OpenRowGroupReader(group);
        var nulls = new SortedSet<int>();
        foreach (var field in required.Where(f => groupReader.GetStatistics(f)?.NullCount != 0))
        {
            var column = ParquetColumn.For(field)!;
            await column.ReadAsync(groupReader, field, _rows[group]).ConfigureAwait(false);
            for (var row = 0; row < _rows[group]; row++)
            {
                if (!column.IsNull(row)) continue;
                nulls.Add(row);
                FirstFault ??= $"{NearName.Quoted(Path)}, row group {group}, row {row}: column {NearName.Quoted(NameOf(field))} is null.";
            }
        }
        if (nulls.Count > 0) _leftOut[group] = [.. nulls];
    }

    private static int RowsOf(ParquetReader reader, int group)
    {
        var rows = reader.Metadata!.RowGroups[group].NumRows;
        return rows is >= 0 and <= MostRows ? (int)rows
            : throw new InvalidDataException($"row group {group} has {rows} rows; at most {MostRows} are supported");
    }

    private static T Use<T>(string path, Func<ParquetReader, Task<T>> read)
    {
        try
        {
            return ReadAsync().GetAwaiter().GetResult();
        }
        // Parquet.Net does not check what it reads, and fails in as many ways as there are damages.
        catch (Exception e) when (e is not (FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException
            or TimeoutException or OperationCanceledException))
        {
            throw new InvalidDataException($"{NearName.Quoted(path)} is no Parquet file or is damaged: {NearName.Visible(e.Message)}", e);
        }

        async Task<T> ReadAsync()
        {
            var stream = RemoteFiles.Read(path, local => RegularFile.Open(local, BufferBytes));
            await using (stream.ConfigureAwait(false))
            {
                var reader = await OpenAsync(stream).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false)) return await read(reader).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Parquet.Net can loop forever over a damaged footer.</summary>
    private static async Task<ParquetReader> OpenAsync(Stream stream)
    {
        try
        {
            return await Task.Run(() => ParquetReader.CreateAsync(stream)).WaitAsync(LongestOpening).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new InvalidDataException($"its footer was not read within {LongestOpening.TotalSeconds} seconds", e);
        }
    }
}
