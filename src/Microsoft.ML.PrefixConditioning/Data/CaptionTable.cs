namespace Microsoft.ML.PrefixConditioning;

/// <summary>A delimited file whose rows are read again whenever they are needed; only positions stay in memory.</summary>
internal sealed class CaptionTable
{
    private const int RowsPerPosition = 8;           // 2 bytes per row; a random read parses 4 rows more than needed
    private const int RandomBuffer = 1 << 11;        // bytes, about that many rows

    private readonly List<(long Byte, int Line)> _positions = [];
    private readonly string _path, _file;   // as given, for messages; and in full, since the current folder may change
    private readonly char _separator;
    private (long Length, DateTime Time) _state;

    /// <param name="path">The file.</param>
    /// <param name="separator">The character between two fields.</param>
    public CaptionTable(string path, char separator) => (_path, _file, _separator) = (path, Path.GetFullPath(path), separator);

    /// <summary>Number of rows.</summary>
    public int Count { get; private set; }

    /// <summary>Index of the field with the image.</summary>
    public int ImageIndex { get; set; }

    /// <summary>Index of the field with the caption.</summary>
    public int CaptionIndex { get; set; }

    /// <summary>Opens the file for the first reading, in which every row is added.</summary>
    public DelimitedReader Open()
    {
        var file = OpenFile();
        _state = StateOf(file);
        return new DelimitedReader(file, _path, _separator);
    }

    /// <summary>Opens a table.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">Its name in messages.</param>
    /// <exception cref="FileNotFoundException">There is none, or it is a folder.</exception>
    public static FileStream OpenFile(string file, string name)
    {
        try
        {
            return new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1);   // the reader has its own buffer
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new FileNotFoundException($"There is no caption table '{NearName.Visible(name)}'. {MissingPath.Describe(name)}", name, e);
        }
        catch (UnauthorizedAccessException) when (Directory.Exists(file))
        {
            throw new FileNotFoundException($"'{NearName.Visible(name)}' is a folder. Give the caption table, a .tsv or .csv file; " +
                "imageRoot is the folder of the images.", name);
        }
    }

    /// <summary>Adds the next row.</summary>
    public void Add((long Byte, int Line) position)
    {
        if (Count++ % RowsPerPosition == 0) _positions.Add(position);
    }

    /// <summary>Opens the rows for one cursor.</summary>
    /// <param name="isRandom">Whether they are read in random order.</param>
    /// <exception cref="InvalidDataException">The file has been changed.</exception>
    public RowReader OpenRows(bool isRandom) => new(this, isRandom);

    private FileStream OpenFile() => OpenFile(_file, _path);

    private static (long, DateTime) StateOf(FileStream file) => (file.Length, File.GetLastWriteTimeUtc(file.SafeFileHandle));

    private InvalidDataException Changed() =>
        new($"{NearName.Quoted(_path)} has been changed since it was loaded. Load it again, and leave it unchanged while it is in use.");

    /// <summary>Reads rows by their index.</summary>
    internal sealed class RowReader : IDisposable
    {
        private readonly CaptionTable _table;
        private readonly DelimitedReader _reader;
        private int _row = -1;   // whose fields the reader has

        public RowReader(CaptionTable table, bool isRandom)
        {
            _table = table;
            var file = table.OpenFile();
            _reader = new DelimitedReader(file, table._path, table._separator, isRandom ? RandomBuffer : 1 << 16);
            try
            {
                // The width of the first record decides how quotes are read.
                if (StateOf(file) != table._state || !_reader.Read()) throw table.Changed();
            }
            catch
            {
                Dispose();
                throw;
            }
            GoTo(0);
        }

        /// <summary>The fields of a row, until the next call for another row.</summary>
        public List<string> Fields(int row)
        {
            if (row < _row || row / RowsPerPosition > (_row + 1) / RowsPerPosition) GoTo(row / RowsPerPosition);
            for (; _row < row; _row++)
                if (!_reader.Read() || _reader.Fields.Count <= Math.Max(_table.ImageIndex, _table.CaptionIndex)) throw _table.Changed();
            return _reader.Fields;
        }

        /// <inheritdoc/>
        public void Dispose() => _reader.Dispose();

        private void GoTo(int position)
        {
            _reader.GoTo(_table._positions[position]);
            _row = position * RowsPerPosition - 1;
        }
    }
}
