namespace Microsoft.ML.PrefixConditioning;

/// <summary>Work on a matrix's rows on all cores, in parts that depend on the number of rows alone.</summary>
/// <remarks>Sums over rows are made part by part and then added in order: the result does not depend on the number of threads.</remarks>
internal static unsafe class RowChunks
{
    private const int MostChunks = 16;
    private const int FewestRows = 32; // below this a part costs more to hand over than to do

    /// <summary>Does something with rows from begin up to, without, end.</summary>
    public delegate void RowAction(long begin, long end);

    /// <summary>Does something with rows and adds to sums of its own, which are 0 at first.</summary>
    public delegate void SumAction(long begin, long end, float* sums);

    /// <summary>Runs over all rows.</summary>
    public static void Run(long rows, RowAction action)
    {
        var chunks = Count(rows);
        ParallelLoop.Run(chunks, i => action(rows * i / chunks, rows * (i + 1) / chunks));
    }

    /// <summary>Runs over all rows and adds the parts' sums to a total.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of sums.</param>
    /// <param name="totals">[columns], added to; null where nobody wants them.</param>
    /// <param name="action">What is done with a part's rows.</param>
    public static void Sum(long rows, int columns, float* totals, SumAction action)
    {
        var chunks = Count(rows);
        var sums = new float[chunks * columns];
        fixed (float* first = sums)
        {
            var parts = first;
            ParallelLoop.Run(chunks, i => action(rows * i / chunks, rows * (i + 1) / chunks, parts + (long)i * columns));
            for (var chunk = 0; chunk < chunks && totals is not null; chunk++)
                for (var column = 0; column < columns; column++) totals[column] += parts[(long)chunk * columns + column];
        }
    }

    private static int Count(long rows) => (int)Math.Clamp(rows / FewestRows, 1, MostChunks);
}
