namespace Microsoft.ML.PrefixConditioning;

/// <summary>Shuffles rows so that only a few files are read at a time: files in random order, and rows among those of one window.</summary>
/// <param name="fileOfRow">A number for the file of every row, from 0.</param>
/// <param name="size">Files in a window.</param>
internal sealed class ShuffleWindows(int[] fileOfRow, int size)
{
    private readonly int _fileCount = fileOfRow.Max() + 1;

    /// <summary>Brings rows into a random order; a row may occur more than once.</summary>
    public void Shuffle(int[] rows, ref SeededRandom random, CancellationToken cancellation = default)
    {
        int[] files = [.. rows.Select(row => fileOfRow[row]).Distinct()];
        random.Shuffle(files.AsSpan(), cancellation);
        var windowOf = new int[_fileCount];
        for (var i = 0; i < files.Length; i++) windowOf[files[i]] = i / size;
        var starts = new int[(files.Length - 1) / size + 2];   // of each window's rows, and the end
        foreach (var row in rows) starts[windowOf[fileOfRow[row]] + 1]++;
        for (var i = 1; i < starts.Length; i++) starts[i] += starts[i - 1];
        var (sorted, next) = (new int[rows.Length], starts.ToArray());
        foreach (var row in rows) sorted[next[windowOf[fileOfRow[row]]]++] = row;
        for (var i = 1; i < starts.Length; i++) random.Shuffle(sorted.AsSpan(starts[i - 1]..starts[i]), cancellation);
        sorted.CopyTo(rows, 0);
    }
}
