namespace Microsoft.ML.PrefixConditioning;

/// <summary>A delimited file whose rows are read again whenever they are needed; only positions stay in memory.</summary>
internal sealed class CaptionTable
{
    private const int RowsPerPosition = 8;           // 2 bytes per row; a random read parses 4 rows more than needed
    private const int RandomBuffer = 1 << 11;        // bytes, about that many rows

    private readonly List<(long Byte, int Line)> _positions = [];
    private readonly SourceFile _file;
    private readonly string _path;
    private readonly char _separator;

    /// <param name="path">The file.</param>
    /// <param name="separator">The character between two fields.</param>
    public CaptionTable(string path, char separator) => (_file, _path, _separator) = (new(path), path, separator);

    /// <summary>Number of rows.</summary>
    public int Count { get; private set; }

    /// <summary>Index of the field with the image.</summary>
    public int ImageIndex { get; set; }

    /// <summary>Index of the field with the caption.</summary>
    public int CaptionIndex { get; set; }

    /// <summary>Opens the file for the first reading, in which every row is added.</summary>
    public DelimitedReader Open() => new(_file.Open(), _path, _separator);

    /// <summary>Adds the next row.</summary>
    public void Add((long Byte, int Line) position)
    {
        if (Count++ % RowsPerPosition == 0) _positions.Add(position);
    }

    /// <summary>Opens the rows for one cursor.</summary>
    /// <param name="isRandom">Whether they are read in random order.</param>
    /// <exception cref="InvalidDataException">The file has been changed.</exception>
    public RowReader OpenRows(bool isRandom) => new(this, isRandom);

    /// <summary>Reads rows by their index.</summary>
    internal sealed class RowReader : IDisposable
    {
        private readonly CaptionTable _table;
        private readonly DelimitedReader _reader;
        private int _row = -1;   // whose fields the reader has

        public RowReader(CaptionTable table, bool isRandom)
        {
            _table = table;
            _reader = new DelimitedReader(table._file.Open(), table._path, table._separator, isRandom ? RandomBuffer : 1 << 16);
            try
            {
                // The width of the first record decides how quotes are read.
                if (!_reader.Read()) throw table._file.Changed();
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
                if (!_reader.Read() || _reader.Fields.Count <= Math.Max(_table.ImageIndex, _table.CaptionIndex))
                    throw _table._file.Changed();
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
