using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>samples/ScoreShards as processes: one is killed, two others complete its work.</summary>
[TestClass]
public sealed class ScoreShardsSampleTests
{
    private const int Shards = 20;   // of one or two images

    private static string Output => Path.Combine(Tiny.Data.Folder, "scores");

    [TestMethod]
    public void Main_KilledProcess_OthersScoreWhatIsMissingOnce()
    {
        var model = SavedModel();
        Directory.CreateDirectory(Output);
        var last = Path.Combine(Output, $"shard-{Shards - 1:00000}-of-{Shards:00000}.tsv");
        using (new FileStream(last + ".lock", FileMode.Create, FileAccess.Write, FileShare.None))   // the process never comes to its end
        {
            using var killed = Start(model);
            for (var shard = 0; shard < 3; shard++) Assert.IsNotNull(killed.StandardOutput.ReadLine(), "It ended before it was killed.");
            killed.Kill();
            killed.WaitForExit();
        }
        var before = Files().ToDictionary(f => f, File.GetLastWriteTimeUtc);
        Assert.IsTrue(before.Count is >= 3 and < Shards, $"{before.Count} shards");
        foreach (var rest in new[] { ".unfinished", ".sha256", ".lock" }) File.WriteAllText(last + rest, "of a killed process");

        using var first = Start(model);
        using var second = Start(model);
        string[] done = [.. Lines(first), .. Lines(second)];
        CollectionAssert.AreEquivalent(Files().Except(before.Keys).Select(Path.GetFileName).ToArray(), done, "each shard by one of them");
        foreach (var (path, time) in before) Assert.AreEqual(time, File.GetLastWriteTimeUtc(path), path);
        AreAllImagesOnce();
        Assert.HasCount(2 * Shards, Directory.GetFiles(Output).Where(f => !f.EndsWith(".lock", StringComparison.Ordinal)).ToArray());

        using var again = Start(model);
        Assert.IsEmpty(Lines(again));
        using var other = Start(model, shards: 7);
        Assert.Contains("belongs to another number of shards than 7", other.StandardError.ReadToEnd());
    }

    [TestMethod]
    public void Main_UnreadableImage_IsTriedThreeTimes()
    {
        var folder = Path.Combine(Tiny.Data.Folder, "unreadable");
        Directory.CreateDirectory(Path.Combine(folder, "images", "red"));
        File.WriteAllText(Path.Combine(folder, "images", "red", "1.png"), "no picture");
        using var process = ModelLoadingProcess.Start("ScoreShards",
            "--model", SavedModel(), "--images", Path.Combine(folder, "images"), "--shards", "2", "--out", Path.Combine(folder, "scores"));
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.AreEqual(1, process.ExitCode, error);
        Assert.HasCount(3, error.Split("shard-00000-of-00002.tsv is tried again: "), error);
        var scored = Directory.GetFiles(Path.Combine(folder, "scores"), "*.tsv").Select(Path.GetFileName).ToArray();
        CollectionAssert.AreEqual((string[])["shard-00001-of-00002.tsv"], scored, "only the empty shard");
    }

    private static string SavedModel()
    {
        var (model, mlContext) = (Path.Combine(Tiny.Data.Folder, "shards.zip"), new MLContext());
        if (!File.Exists(model)) mlContext.Model.Save(Tiny.Model, Tiny.Data.Test(mlContext).Schema, model);
        return model;
    }

    private static void AreAllImagesOnce()
    {
        var rows = new List<string[]>();
        foreach (var path in Files())
        {
            var digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));
            Assert.AreEqual($"{digest}  {Path.GetFileName(path)}\n", File.ReadAllText(path + ".sha256"));
            rows.AddRange(File.ReadLines(path).Select(line => line.Split('\t')));
        }
        rows.Sort((a, b) => string.CompareOrdinal(a[0], b[0]));
        CollectionAssert.AreEqual(Tiny.Data.Images.Select(i => i.Path).Order(StringComparer.Ordinal).ToArray(),
            rows.Select(r => r[0]).ToArray());
        var expected = Tiny.Model.EncodeImages(rows.Select(r => r[0]).ToArray());
        foreach (var (row, embedding) in rows.Zip(expected))
        {
            var values = row[1].Split(' ').Select(v => float.Parse(v, CultureInfo.InvariantCulture)).ToArray();
            for (var d = 0; d < embedding.Length; d++) Assert.AreEqual(embedding[d], values[d], 1e-5);
        }
    }

    private static Process Start(string model, int shards = Shards) => ModelLoadingProcess.Start("ScoreShards",
        "--model", model, "--images", Tiny.Data.Labeled, "--shards", $"{shards}", "--out", Output);

    private static string[] Lines(Process process)
    {
        var error = process.StandardError.ReadToEndAsync();
        var lines = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        process.WaitForExit();
        Assert.AreEqual(0, process.ExitCode, error.Result);
        return lines;
    }

    private static string[] Files() => Directory.GetFiles(Output, "*.tsv");
}
