using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class WebDatasetSourceTests : IDisposable
{
    private readonly DataTestFolder _folder = new();
    private readonly MLContext _mlContext = new(seed: 1);

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void LoadWebDataset_Shards_GivesASampleAKey()
    {
        _folder.Tar("00.tar", ("a.b/1.jpg", "one"), ("a.b/1.txt", " first\n"), ("a.b/1.json", "{}"), ("2.txt", "second"), ("2.PNG", "two"));
        _folder.Tar("01.tar", ("3.webp", "three"), ("3.txt", "third é"), ("._3.jpg", "metadata"), ("no-extension", ""));

        var view = _mlContext.Data.LoadWebDataset(_folder["{00..01}.tar"]);

        Assert.AreEqual(3, view.GetRowCount());
        DataTestRows.Equal(["first", "second", "third é"], view.Texts("Text"));
        DataTestRows.Equal(["one", "two", "three"], view.Texts("Image").Select(i => Encoding.UTF8.GetString(ImageLocator.ReadAllBytes(i))));
        StringAssert.StartsWith(view.Texts("Image")[0], _folder["00.tar!/a.b/1@"]);
        DataTestRows.Equal(["caption", "caption", "caption"], view.Texts("DatasetType"));
    }

    [TestMethod]
    public void LoadWebDataset_JsonAndClass_GivesTextAndLabel()
    {
        _folder.Tar("x.tar", ("1.jpg", ""), ("1.json", "{\"title\":\"a \\u0064og\",\"n\":7}"), ("1.cls", "7"),
            ("2.jpg", ""), ("2.json", "{\"title\":\"b\"}"));

        var view = _mlContext.Data.LoadWebDataset(_folder["x.tar"], text: "json:title", label: "cls",
            classNames: new Dictionary<string, string> { ["7"] = "dog" });

        DataTestRows.Equal(["a dog", "b"], view.Texts("Text"));
        DataTestRows.Equal(["dog", ""], view.Texts("Label"));
    }

    [TestMethod]
    [DataRow("1.txt", "x", "it has no image (jpg, jpeg, png, webp), but 'txt'.")]
    [DataRow("1.jpg", "x", "it has no 'txt', but 'jpg'.")]
    public void LoadWebDataset_MissingMember_NamesShardAndKey(string name, string content, string reason)
    {
        var shard = _folder.Tar("x.tar", ("0.jpg", ""), ("0.txt", "good"), (name, content));

        Assert.AreEqual($"'{shard}', key '1': {reason} To leave such samples out, set badRows to Skip.",
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadWebDataset(shard)).Message);
        var warnings = _mlContext.Warnings();
        Assert.AreEqual(1, _mlContext.Data.LoadWebDataset(shard, badRows: BadRowPolicy.Skip).GetRowCount());
        StringAssert.Contains(warnings.Single(), $"1 sample(s) in 1 shard(s); 1 left out. The first fault: '{shard}', key '1': {reason}");
    }

    [TestMethod]
    [DataRow("[]", "its 'json' has no field 'caption'.")]
    [DataRow("{\"caption\":[]}", "the field 'caption' of its 'json' is Array, expected a text.")]
    [DataRow("{\"caption\":\"\\ud800\"}", "its 'json' is not UTF-8.")]
    [DataRow("{", "its 'json' is not JSON: ")]
    public void LoadWebDataset_DamagedJson_NamesTheReason(string json, string reason)
    {
        var shard = _folder.Tar("x.tar", ("1.jpg", ""), ("1.json", json));
        StringAssert.StartsWith(DataTestRows.Fails<InvalidDataException>(() =>
            _mlContext.Data.LoadWebDataset(shard, text: "json:caption")).Message, $"'{shard}', key '1': {reason}");
    }

    [TestMethod]
    public void LoadWebDataset_CutShard_KeepsTheSamplesBefore()
    {
        var shard = _folder.Tar("x.tar", ("1.jpg", "one"), ("1.txt", "first"), ("2.jpg", "two"), ("2.txt", "second"));
        var bytes = File.ReadAllBytes(shard);
        File.WriteAllBytes(shard, bytes[..(bytes.AsSpan().IndexOf("second"u8) + 2)]);

        StringAssert.Contains(DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadWebDataset(shard)).Message,
            "key '2': behind it, the shard is damaged or cut off: it ends inside '2.txt'.");
        DataTestRows.Equal(["first"], _mlContext.Data.LoadWebDataset(shard, badRows: BadRowPolicy.Skip).Texts("Text"));
    }

    [TestMethod]
    public void LoadWebDataset_ShardCutAfterLoading_IsReported()
    {
        var shard = _folder.Tar("x.tar", ("1.jpg", "one"), ("1.txt", "first"), ("2.jpg", "two"), ("2.txt", "second"));
        var view = _mlContext.Data.LoadWebDataset(shard);
        File.WriteAllBytes(shard, File.ReadAllBytes(shard)[..100]);
        StringAssert.Contains(DataTestRows.Fails<InvalidDataException>(() => view.Texts("Text")).Message,
            $"'{shard}' was changed or cut off. Load it again.");
    }

    [TestMethod]
    public void LoadWebDataset_SecondLoad_ReadsTheIndexAndNotTheShard()
    {
        var shard = _folder.Tar("x.tar", ("1.jpg", "one"), ("1.txt", "first"), ("2.jpg", "two"), ("3.jpg", "three"), ("3.txt", "third"));
        var (length, written) = (new FileInfo(shard).Length, File.GetLastWriteTimeUtc(shard));
        var images = _mlContext.Data.LoadWebDataset(shard, badRows: BadRowPolicy.Skip).Texts("Image");
        File.WriteAllBytes(shard, new byte[length]);
        File.SetLastWriteTimeUtc(shard, written);

        DataTestRows.Equal(images, _mlContext.Data.LoadWebDataset(shard, badRows: BadRowPolicy.Skip).Texts("Image"));
        StringAssert.StartsWith(DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadWebDataset(shard)).Message,
            $"'{shard}', key '2': it has no 'txt'");
        StringAssert.Contains(DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadWebDataset(shard, label: "cls")).Message,
            "has no samples");   // other members: scanned again
    }

    [TestMethod]
    public void LoadWebDataset_ShardOrIndexChanged_ScansAgain()
    {
        var shard = _folder.Tar("x.tar", ("1.jpg", "one"), ("1.txt", "first"));
        _mlContext.Data.LoadWebDataset(shard);
        File.SetLastWriteTimeUtc(_folder.Tar("x.tar", ("2.jpg", "two"), ("2.txt", "other")), DateTime.UnixEpoch);
        DataTestRows.Equal(["other"], _mlContext.Data.LoadWebDataset(_folder["*"]).Texts("Text"));

        var whole = File.ReadAllBytes(shard + ".index");
        foreach (var damaged in new byte[][] { [], whole[..^1], [.. whole[..40], (byte)(whole[40] ^ 1), .. whole[41..]] })
        {
            File.WriteAllBytes(shard + ".index", damaged);
            DataTestRows.Equal(["other"], _mlContext.Data.LoadWebDataset(shard).Texts("Text"));
            DataTestRows.Equal(whole, File.ReadAllBytes(shard + ".index"));
        }
    }

    [TestMethod]
    public void LoadWebDataset_IndexFolder_KeepsShardsOfOneNameApart()
    {
        foreach (var name in "ab")
        {
            Directory.CreateDirectory(_folder[$"{name}"]);
            File.SetLastWriteTimeUtc(_folder.Tar($"{name}/x.tar", ("1.jpg", ""), ("1.txt", $"{name}")), DateTime.UnixEpoch);
        }
        for (var i = 0; i < 2; i++)
            DataTestRows.Equal(["a", "b"],
                _mlContext.Data.LoadWebDataset(_folder["{a,b}/x.tar"], indexFolder: _folder["index"]).Texts("Text"));
        Assert.HasCount(2, Directory.GetFiles(_folder["index"]));
        Assert.IsFalse(File.Exists(_folder["a/x.tar.index"]));
    }

    [TestMethod]
    public void LoadWebDataset_IndexCannotBeWritten_SaysSoInTheLog()
    {
        var shard = _folder.Tar("x.tar", ("1.jpg", ""), ("1.txt", "first"));
        var file = _folder.Write("file");
        var lines = new List<string>();
        _mlContext.Log += (_, e) => lines.Add(e.RawMessage);

        DataTestRows.Equal(["first"], _mlContext.Data.LoadWebDataset(shard, indexFolder: file).Texts("Text"));
        Assert.HasCount(1, lines.Where(l => l.StartsWith($"'{shard}': the index of 1 shard(s) cannot be kept", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void Expand_ShortForms_GivesTheFiles()
    {
        foreach (var name in new[] { "a08.tar", "a09.tar", "a10.tar", "val.tar" }) _folder.Write(name);
        string[] all = [_folder["a08.tar"], _folder["a09.tar"], _folder["a10.tar"], _folder["val.tar"]];

        DataTestRows.Equal(all.AsSpan(..3), ShardList.Expand(_folder["a{08..10}.tar"]));
        DataTestRows.Equal(all, ShardList.Expand(_folder["*.tar"]));
        DataTestRows.Equal(all.AsSpan(..3), ShardList.Expand(_folder["a??.tar"]));
        DataTestRows.Equal([all[3], all[0]], ShardList.Expand(_folder["{val,a08}.tar"]));
        DataTestRows.Equal([all[3], all[1]], ShardList.Expand($"{all[3]}::{_folder["a{09..09}.tar"]}"));
    }

    [TestMethod]
    [DataRow("pipe:curl x", "would run a shell command")]
    [DataRow("https://example.org/{0..1}.tar", "is a web address")]
    [DataRow("x.tar.gz", "gunzip --keep FILE")]
    [DataRow("x.tgz", "gunzip --keep --suffix=.tgz FILE")]
    [DataRow("{0..x}.tar", "is neither a range")]
    [DataRow("{0..1.tar", "without a closing one")]
    [DataRow("{0..99}{0..99}{0..99}*", null)]
    public void Expand_OtherForms_AreRejected(string shards, string? reason)
    {
        if (reason is null) Assert.ThrowsExactly<FileNotFoundException>(() => ShardList.Expand(_folder[shards]));
        else StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => ShardList.Expand(shards)).Message, reason);
    }

    [TestMethod]
    public void LoadWebDataset_ExtendedHeaderThatEndsAtItsKey_IsDamaged()
    {
        var shard = _folder.Tar("a.tar", (new string('n', 120) + ".txt", "one"));
        var bytes = File.ReadAllBytes(shard);
        "009"u8.CopyTo(bytes.AsSpan(bytes.AsSpan().IndexOf(" path="u8) - 3));   // "009 path=" has nine bytes
        File.WriteAllBytes(shard, bytes);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => _mlContext.Data.LoadWebDataset(shard));
        Assert.Contains("the extended header at byte 512 is damaged", error.Message);
    }

    [TestMethod]
    public void Expand_Folder_SuggestsAWildcardOfTheFormat()
    {
        var error = Assert.ThrowsExactly<FileNotFoundException>(() => ShardList.Expand(_folder.Root, "*.parquet"));
        StringAssert.Contains(error.Message, $"is a folder. Name its files, such as '{_folder["*.parquet"]}'.");
    }
}
