using System.Formats.Tar;
using System.Text;
using Samples;

namespace RemoteShards;

/// <summary>A WebDataset of captioned drawings.</summary>
internal static class DrawnShards
{
    /// <summary>Writes the shards 0.tar, 1.tar, ...</summary>
    public static void Write(string folder, int shards, int samplesPerShard)
    {
        var pictures = Path.Combine(folder, "pictures");
        var drawn = DrawnDataset.Write(pictures, seed: 1,
            new DrawnDatasetSizes(LabeledPerClass: 0, Captioned: shards * samplesPerShard, TestPerClass: 0, UnseenPerClass: 0));
        var rows = File.ReadLines(drawn.CaptionTable).Skip(1).Select(line => line.Split('\t'));
        foreach (var (shard, samples) in rows.Chunk(samplesPerShard).Index())
        {
            using var writer = new TarWriter(File.Create(Path.Combine(folder, $"{shard}.tar")));
            foreach (var sample in samples)
            {
                writer.WriteEntry(Path.Combine(drawn.CaptionImages, sample[0]), Path.GetFileName(sample[0]));
                writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, Path.ChangeExtension(Path.GetFileName(sample[0]), ".txt"))
                {
                    DataStream = new MemoryStream(Encoding.UTF8.GetBytes(sample[1])),
                });
            }
        }
        Directory.Delete(pictures, recursive: true);
    }
}
