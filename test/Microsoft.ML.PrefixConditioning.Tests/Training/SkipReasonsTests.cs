using System.Formats.Tar;
using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What the history says of rows that were left out.</summary>
[TestClass]
public sealed class SkipReasonsTests
{
    /// <summary>A shard of the captioned drawings, in which two samples have no text.</summary>
    private static IDataView Shard(DrawnData data, string name)
    {
        var path = data[name];
        using (var tar = new TarWriter(File.Create(path)))
            foreach (var (row, i) in data.Rows.Where(r => r.Label is null).Select((r, i) => (r, i)))
            {
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, $"{i}.png") { DataStream = File.OpenRead(row.Image) });
                if (i is 3 or 5) continue;
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, $"{i}.txt")
                {
                    DataStream = new MemoryStream(Encoding.UTF8.GetBytes(row.Text)),
                });
            }
        return data.Context.Data.LoadWebDataset(path, badRows: BadRowPolicy.Skip);
    }

    [TestMethod]
    public void Fit_RowsLeftOutEverywhere_AreInTheHistory()
    {
        using var data = new DrawnData();
        (data.Rows[1].Text, data.Rows[2].Text) = ("", " ");
        data.Break(4);
        var (first, second) = (Shard(data, "a.tar"), Shard(data, "b.tar"));
        // Through a filter, a cache and a union.
        var view = data.Context.Data.UnifyDatasets(data.Labeled, data.Context.Data.Cache(data.Context.Data.TakeRows(first, 10)), second);
        using var model = data.Context.Transforms.PrefixClip(DrawnData.Options with
        {
            BadRows = BadRowPolicy.Skip,
            MaxBadRowFraction = 0.5,
        }).Fit(view);

        Assert.AreEqual(3, model.History.SkippedRows);
        Assert.HasCount(3, model.History.SkipReasons);
        StringAssert.StartsWith(model.History.SkipReasons[0],
            $"4 rows were left out by their sources. The first fault: '{data["a.tar"]}', ");
        StringAssert.StartsWith(model.History.SkipReasons[1], "2 of 40 rows cannot be used. The first fault: Row 2 ");
        StringAssert.StartsWith(model.History.SkipReasons[2], "1 of 40 rows have images that cannot be read. The first fault: Row 5: ");
        using var loaded = (PrefixClipTransformer)new SavedModel(model).Load(out _);
        CollectionAssert.AreEqual(model.History.SkipReasons.ToArray(), loaded.History.SkipReasons.ToArray());
    }

    [TestMethod]
    public void Fit_AllRowsUsed_HasNoReasons()
    {
        using var data = new DrawnData();
        using var model = data.Fit(DrawnData.Options);
        Assert.IsEmpty(model.History.SkipReasons);
    }
}
