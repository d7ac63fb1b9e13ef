namespace Microsoft.ML.PrefixConditioning;

/// <summary>Finds JPEG files whose data end before their pixels although an end mark follows. libjpeg then fills the rest with gray and
/// only warns, of which Skia tells nothing; without the mark, Skia reports the end.</summary>
/// <remarks>
/// Source: ITU T.81, annexes B and F. A decoder reads a progressive file to the mark before it gives any pixel, and each of its scans
/// covers the whole image: if the first, which has the mean of every block, is complete, the image has no gray rest. So its codes are
/// counted.
/// </remarks>
internal static class JpegEnd
{
    /// <summary>Bytes behind the data that a decoder may look at without using them.</summary>
    public const int Padding = 64;

    private const byte Baseline = 0xC0, Extended = 0xC1, Progressive = 0xC2;   // frames
    private const byte HuffmanTables = 0xC4, RestartInterval = 0xDD, EndOfImage = 0xD9;

    /// <summary>Position of the mark that ends a sequential image; -1 in any other file.</summary>
    public static int Find(ReadOnlySpan<byte> file)
    {
        var segments = new JpegSegments(file);
        for (var components = 0; segments.MoveNext();)
            switch (segments.Marker)
            {
                case Baseline or Extended when segments.Content.Length >= 6:
                    components = segments.Content[5];
                    break;
                case JpegSegments.StartOfScan:
                    return components > 0 && segments.Content.StartsWith([(byte)components]) ? FindMark(file, segments.End) : -1;
                case var marker when IsFrame(marker):
                    return -1;
            }
        return -1;
    }

    /// <summary>Whether a marker begins a frame, of any kind.</summary>
    private static bool IsFrame(byte marker) => marker is >= 0xC0 and <= 0xCF and not (HuffmanTables or 0xC8 or 0xCC);

    private static int FindMark(ReadOnlySpan<byte> file, int at)
    {
        while (at < file.Length && file[at..].IndexOf((byte)0xFF) is >= 0 and var next && at + next + 1 < file.Length)
        {
            at += next;
            var code = file[at + 1];
            if (code == EndOfImage) return at;
            if (code is not (0 or 0xFF or (>= 0xD0 and <= 0xD7))) return -1;   // a byte of data, a fill byte, a restart
            at += code == 0xFF ? 1 : 2;
        }
        return -1;
    }

    /// <summary>Whether the first scan of a progressive file ends before it has all blocks. False for other files, and for damaged ones,
    /// which the decoder judges.</summary>
    public static bool IsFirstScanCut(ReadOnlySpan<byte> file)
    {
        var tables = new HuffmanTable?[4];
        ReadOnlySpan<byte> frame = [];
        var interval = 0;
        for (var segments = new JpegSegments(file); segments.MoveNext();)
        {
            var marker = segments.Marker;
            var content = segments.Content;
            if (segments.End > file.Length) return false;
            if (marker == Progressive) frame = content;
            else if (IsFrame(marker)) return false;
            else if (marker == HuffmanTables) HuffmanTable.Read(content, tables);
            else if (marker == RestartInterval && content.Length >= 2) interval = (content[0] << 8) | content[1];
            else if (marker == JpegSegments.StartOfScan)
                return frame.Length >= 6 && IsCut(file[segments.End..], frame, content, tables, interval);
        }
        return false;
    }

    private static bool IsCut(
        ReadOnlySpan<byte> data, ReadOnlySpan<byte> frame, ReadOnlySpan<byte> scan, HuffmanTable?[] tables, int interval)
    {
        int height = (frame[1] << 8) | frame[2], width = (frame[3] << 8) | frame[4], components = frame[5];
        if (frame.Length < 6 + 3 * components || scan.Length < 1 || scan.Length < 4 + 2 * scan[0] || scan[0] == 0) return false;
        int count = scan[0];
        var (start, approximation) = (scan[1 + 2 * count], scan[3 + 2 * count]);
        if (start != 0 || approximation >> 4 != 0) return false;   // not the first bits of the means
        var (widest, tallest) = (1, 1);
        for (var c = 0; c < components; c++)
        {
            widest = Math.Max(widest, frame[7 + 3 * c] >> 4);
            tallest = Math.Max(tallest, frame[7 + 3 * c] & 15);
        }
        var blocks = new List<HuffmanTable>();   // the table of each block of a unit
        var (across, down) = (Parts(width, 8 * widest), Parts(height, 8 * tallest));
        for (var i = 0; i < count; i++)
        {
            var c = 0;
            while (c < components && frame[6 + 3 * c] != scan[1 + 2 * i]) c++;
            if (c == components || tables[(scan[2 + 2 * i] >> 4) & 3] is not { } table) return false;
            int horizontal = frame[7 + 3 * c] >> 4, vertical = frame[7 + 3 * c] & 15;
            for (var block = 0; block < (count == 1 ? 1 : horizontal * vertical); block++) blocks.Add(table);
            if (count > 1) continue;   // a scan of one component has its blocks one by one
            (across, down) = (Parts(Parts(width * horizontal, widest), 8), Parts(Parts(height * vertical, tallest), 8));
        }
        var bits = new BitReader(data);
        var units = (long)across * down;
        for (long unit = 0; unit < units; unit++)
        {
            if (interval > 0 && unit > 0 && unit % interval == 0 && !bits.Restart()) return bits.IsAtEnd;
            foreach (var table in blocks)
            {
                var size = table.Decode(ref bits);
                if (size < 0) return bits.IsAtEnd;   // or a code that does not exist
                if (!bits.Skip(size)) return true;
            }
        }
        return false;
    }

    private static int Parts(int length, int size) => (length + size - 1) / size;

    /// <summary>A table of Huffman codes: of each length, the first code, and where its symbols are.</summary>
    private sealed class HuffmanTable(byte[] counts, byte[] symbols)
    {
        /// <summary>Reads the tables of a segment; only those of means are kept.</summary>
        public static void Read(ReadOnlySpan<byte> segment, HuffmanTable?[] tables)
        {
            while (segment.Length >= 17)
            {
                var (place, counts) = (segment[0], segment.Slice(1, 16).ToArray());
                var total = counts.Sum(c => c);
                if (segment.Length < 17 + total) return;
                if (place < 4) tables[place] = new(counts, segment.Slice(17, total).ToArray());
                segment = segment[(17 + total)..];
            }
        }

        /// <summary>The next symbol; -1 where the data end, or at a code that does not exist.</summary>
        public int Decode(ref BitReader bits)
        {
            int code = 0, first = 0, index = 0;
            for (var length = 0; length < 16; length++)
            {
                if (bits.Next() is not (>= 0 and var bit)) return -1;
                code |= bit;
                if (code - first < counts[length]) return symbols[index + code - first];
                index += counts[length];
                first = (first + counts[length]) << 1;
                code <<= 1;
            }
            return -1;
        }
    }

    /// <summary>The bits of a scan, up to a marker.</summary>
    private ref struct BitReader(ReadOnlySpan<byte> data)
    {
        private readonly ReadOnlySpan<byte> _data = data;
        private int _at, _left;
        private byte _byte;

        /// <summary>Whether a marker or the end of the file was reached.</summary>
        public bool IsAtEnd { get; private set; }

        /// <summary>The next bit; -1 at the end.</summary>
        public int Next()
        {
            if (_left == 0)
            {
                if (_at >= _data.Length || (_data[_at] == 0xFF && (_at + 1 >= _data.Length || _data[_at + 1] != 0)))
                {
                    IsAtEnd = true;
                    return -1;
                }
                _byte = _data[_at];
                _at += _byte == 0xFF ? 2 : 1;   // a zero follows a byte of data with all bits
                _left = 8;
            }
            return (_byte >> --_left) & 1;
        }

        /// <summary>Passes over bits; false at the end.</summary>
        public bool Skip(int count)
        {
            for (; count > 0; count--)
                if (Next() < 0) return false;
            return true;
        }

        /// <summary>Passes over a restart marker; false if there is none.</summary>
        public bool Restart()
        {
            _left = 0;
            while (_at + 1 < _data.Length && _data[_at] == 0xFF && _data[_at + 1] == 0xFF) _at++;   // fill bytes
            IsAtEnd = _at + 1 >= _data.Length || _data[_at] == 0xFF;
            if (IsAtEnd && _at + 1 < _data.Length && _data[_at + 1] is >= 0xD0 and <= 0xD7)
            {
                IsAtEnd = false;
                _at += 2;
                return true;
            }
            return false;
        }
    }
}
