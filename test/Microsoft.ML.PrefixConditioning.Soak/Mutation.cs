namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Changes a file in one to three places.</summary>
internal static class Mutation
{
    private const int LongestRange = 600;   // more than a block of a TAR archive

    // What means something in texts, JSON and pickles.
    private static readonly byte[] Interesting = [.. "0123456789-{}[]\",:.eE ctbRQXKJMqhusa()N\n\\FIBlnull"u8, 0, 255];

    /// <summary>The changed file.</summary>
    /// <param name="valid">A file that can be read.</param>
    /// <param name="random">Decides the changes.</param>
    public static byte[] Of(byte[] valid, SeededRandom random)
    {
        var file = valid.ToList();
        for (var change = random.NextInt32(3); change >= 0 && file.Count > 0; change--)
        {
            var at = random.NextInt32(file.Count);
            var value = random.NextInt32(2) == 0 ? (byte)random.NextInt32(256) : Interesting[random.NextInt32(Interesting.Length)];
            var length = Math.Min(file.Count - at, random.NextInt32(random.NextInt32(2) == 0 ? 20 : LongestRange));
            switch (random.NextInt32(8))
            {
                case 0: file.Insert(at, value); break;
                case 1: file.RemoveAt(at); break;
                case 2: file.RemoveRange(at, length); break;
                case 3: file.InsertRange(at, file.GetRange(at, length)); break;
                case 4: file.AddRange(file.GetRange(at, length)); break;
                default: file[at] = value; break;
            }
        }
        return [.. file];
    }
}
