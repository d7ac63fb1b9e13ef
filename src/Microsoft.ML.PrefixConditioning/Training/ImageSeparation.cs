using System.Numerics;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Keeps rows of one image out of the same batch. Where that is impossible, batches hold as few repeats as possible.</summary>
/// <remarks>
/// <para>A row whose image is already in the batch waits for the next batch. With B batches to fill, an image that still has B rows or
/// more takes one place in each of them. So no fewer repeats are possible: an image can fill at most one place per batch without a
/// repeat, and no such place is lost. Repeats that cannot be avoided are spread evenly over the batches.</para>
/// <para>The time is proportional to the number of rows.</para>
/// </remarks>
internal sealed class ImageSeparation
{
    private const int None = -1;

    private readonly int[]? _groupOfRow;   // rows of one image have the same number, rows of an image that occurs once have none
    private readonly int _groups;

    /// <param name="imageOfRow">A number for every row's image; rows of one image have the same.</param>
    /// <param name="rowsRepeat">Whether one pass may hold a row more than once.</param>
    public ImageSeparation(int[] imageOfRow, bool rowsRepeat)
    {
        var (largest, smallest) = (None, 0);
        foreach (var image in imageOfRow) (largest, smallest) = (Math.Max(largest, image), Math.Min(smallest, image));
        long Bit(int image) => image >= 0 ? image : (long)largest - image;
        var seen = new ulong[Math.Max(Bit(smallest), largest) / 64 + 1];
        var repeated = rowsRepeat ? seen : new ulong[seen.Length];
        foreach (var image in imageOfRow)
        {
            var (word, mask) = (Bit(image) >> 6, 1UL << (int)(Bit(image) & 63));
            repeated[word] |= seen[word] & mask;
            seen[word] |= mask;
        }
        var before = new int[repeated.Length];   // groups in the words before
        for (var word = 0; word < before.Length; word++)
        {
            before[word] = _groups;
            _groups += BitOperations.PopCount(repeated[word]);
        }
        if (_groups == 0) return;
        _groupOfRow = Array.ConvertAll(imageOfRow, image =>
        {
            var (word, mask) = (Bit(image) >> 6, 1UL << (int)(Bit(image) & 63));
            return (repeated[word] & mask) == 0 ? None : before[word] + BitOperations.PopCount(repeated[word] & (mask - 1));
        });
    }

    /// <summary>Rearranges the rows where a batch has an image twice.</summary>
    /// <param name="rows">The rows of one pass in random order; rows behind the last full batch are left over.</param>
    /// <param name="batchSize">Rows in a batch, at most the number of rows.</param>
    /// <param name="cancellation">Stops the work.</param>
    public void Apply(int[] rows, int batchSize, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (_groupOfRow is not null && HasRepeats(rows, batchSize)) new Arrangement(this, rows, batchSize).Run(cancellation);
    }

    private bool HasRepeats(int[] rows, int batchSize)
    {
        var lastBatch = Filled(_groups, None);
        for (var place = 0; place < rows.Length / batchSize * batchSize; place++)
        {
            if (_groupOfRow![rows[place]] is not (>= 0 and var group)) continue;
            if (lastBatch[group] == place / batchSize) return true;
            lastBatch[group] = place / batchSize;
        }
        return false;
    }

    private static int[] Filled(int length, int value)
    {
        var numbers = new int[length];
        Array.Fill(numbers, value);
        return numbers;
    }

    /// <summary>One pass while its batches are filled, one after the other.</summary>
    private sealed class Arrangement
    {
        private readonly int[] _groupOfRow, _rows, _source;   // _source: the shuffled rows; None for a row that has been placed
        private readonly int _batchSize, _batches;
        private readonly int[] _first, _next;     // places in _source: a group's first that is not placed, and the one behind each
        private readonly int[] _left;             // rows of each group that are not placed
        private readonly int[] _surplus;          // rows of each group that can only be repeats
        private readonly int[] _lastBatch;        // in which a group has a row
        private readonly int[] _due, _dueNext;    // groups by the number of batches left at which they need every one of them
        private readonly bool[] _isNeeded, _isWaiting;
        private readonly List<int> _needed = [];        // groups with at least as many rows as there are batches left
        private readonly Queue<int> _waiting = [];      // groups with rows that were put off
        private long _missing;                          // places that only repeats can fill
        private int _from, _to, _over;

        public Arrangement(ImageSeparation images, int[] rows, int batchSize)
        {
            (_groupOfRow, _rows, _source, _batchSize) = (images._groupOfRow!, rows, [.. rows], batchSize);
            _batches = rows.Length / batchSize;
            var groups = images._groups;
            (_first, _next, _left, _surplus) = (Filled(groups, None), new int[rows.Length], new int[groups], new int[groups]);
            (_lastBatch, _dueNext, _isNeeded, _isWaiting) = (Filled(groups, None), new int[groups], new bool[groups], new bool[groups]);
            _due = Filled(_batches + 1, None);
            for (var place = rows.Length - 1; place >= 0; place--)
            {
                if (_groupOfRow[rows[place]] is not (>= 0 and var group)) continue;
                (_next[place], _first[group]) = (_first[group], place);
                _left[group]++;
            }
            _missing = (long)_batches * batchSize - rows.Length;
            for (var group = 0; group < groups; group++)
            {
                _missing += _surplus[group] = Math.Max(0, _left[group] - _batches);
                Schedule(group, Math.Min(_left[group], _batches));
            }
        }

        public void Run(CancellationToken cancellation)
        {
            for (var batch = 0; batch < _batches; batch++)
            {
                cancellation.ThrowIfCancellationRequested();
                Fill(batch);
            }
            foreach (var row in _source)
                if (row != None) _rows[_to++] = row;
        }

        private void Fill(int batch)
        {
            var (left, end) = (_batches - batch, (batch + 1) * _batchSize);
            CollectNeeded(left);
            // More images than places need every batch only where few batches are left; then each gets its turn.
            for (var i = 0; i < _needed.Count && _to < end; i++)
                Place(_needed[(int)(((long)batch * _batchSize + i) % _needed.Count)], batch);
            var repeats = _missing <= 0 ? 0 : (int)((_missing + left - 1) / left);
            for (var waiting = _waiting.Count; waiting > 0 && _to < end - repeats; waiting--)
            {
                var group = _waiting.Dequeue();
                _isWaiting[group] = false;
                if (_isNeeded[group]) continue;
                Place(group, batch);
                if (_first[group] != None && _first[group] < _from) Wait(group);
            }
            for (; _to < end - repeats && _from < _source.Length; _from++)
            {
                if (_source[_from] is not (>= 0 and var row)) continue;
                var group = _groupOfRow[row];
                if (group == None) (_rows[_to++], _source[_from]) = (row, None);
                else if (_lastBatch[group] != batch) Place(group, batch);
                else if (repeats > 0 && _surplus[group] > 0)
                {
                    repeats--;
                    Repeat(group, batch);
                }
                else if (!_isNeeded[group] && !_isWaiting[group]) Wait(group);
            }
            while (_to < end)
            {
                while (_surplus[_over] == 0) _over++;
                Repeat(_over, batch);
            }
        }

        private void CollectNeeded(int left)
        {
            for (int group = _due[left], next; group != None; group = next)
            {
                next = _dueNext[group];
                if (_left[group] < left) Schedule(group, _left[group]);   // rows were placed in the meantime
                else
                {
                    _isNeeded[group] = true;
                    _needed.Add(group);
                }
            }
        }

        private void Schedule(int group, int left)
        {
            if (left > 0) (_dueNext[group], _due[left]) = (_due[left], group);
        }

        private void Place(int group, int batch)
        {
            var place = _first[group];
            (_rows[_to++], _source[place], _first[group]) = (_source[place], None, _next[place]);
            _left[group]--;
            _lastBatch[group] = batch;
        }

        private void Repeat(int group, int batch)
        {
            Place(group, batch);
            _surplus[group]--;
            _missing--;
        }

        private void Wait(int group)
        {
            _isWaiting[group] = true;
            _waiting.Enqueue(group);
        }
    }
}
