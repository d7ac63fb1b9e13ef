using System.Formats.Tar;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>Random reads of images in TAR shards, against the number of shards.</summary>
internal static class ReadMeasures
{
    private const int Images = 16_000, ImageBytes = 2_000, Seed = 1;

    /// <summary>Images per second over many shards, against one shard with as many images.</summary>
    /// <param name="pairs">Pairs of runs.</param>
    /// <param name="shards">Number of shards.</param>
    /// <param name="byName">Whether locators name the entry, so that the archive's index is needed, or give its range of bytes.</param>
    public static Measure RandomReads(int pairs, int shards, bool byName)
    {
        using var many = new ShardFolder(shards, byName);
        using var one = new ShardFolder(1, byName);
        var (ours, other, speedup) = Pairs.Run(pairs, () => Pairs.Time(many.ReadAll), () => Pairs.Time(one.ReadAll));
        return new Measure($"random reads over {shards} shards {(byName ? "by name" : "by range")}, images/s, against one shard",
            Images / ours, Images / other, speedup, 0.5);
    }

    /// <summary>Shards of made-up images, and their locators in random order.</summary>
    private sealed class ShardFolder : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("prefix-conditioning-benchmarks-").FullName;
        private readonly string[] _locators;

        public ShardFolder(int shards, bool byName)
        {
            var image = new byte[ImageBytes];
            for (var shard = 0; shard < shards; shard++)
            {
                using var writer = new TarWriter(File.Create(Path.Combine(_folder, $"{shard:D4}.tar")), TarEntryFormat.Ustar);
                for (var i = shard; i < Images; i += shards)
                {
                    Write(writer, $"{i:D6}.jpg", image);
                    Write(writer, $"{i:D6}.txt", "x"u8.ToArray());
                }
            }
            _locators = [.. new MLContext(Seed).Data.LoadWebDataset(Path.Combine(_folder, "*.tar"))
                .GetColumn<ReadOnlyMemory<char>>("Image").Select(text => text.ToString())];
            if (byName)
                _locators = [.. _locators.Select(l => ImageSlice.TryParse(l, out var slice)
                    ? ImageLocator.Join(slice.File, slice.Name + ".jpg") : l)];
            new Random(Seed).Shuffle(_locators);
        }

        public void ReadAll() => ParallelLoop.Run(_locators.Length, i => ImageLocator.ReadAllBytes(_locators[i]));

        public void Dispose()
        {
            ImageArchiveCache.Clear();
            Directory.Delete(_folder, recursive: true);
        }

        private static void Write(TarWriter writer, string name, byte[] bytes) =>
            writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });
    }
}
