namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class TrainingImagesTests
{
    private static readonly PrefixClipOptions Skip = DrawnData.Options with { BadRows = BadRowPolicy.Skip, MaxBadRowFraction = 0.25 };

    private static float[] Load(TrainingImages images, int[] batch, int step = 0)
    {
        var pixels = new float[batch.Length * images.Length];
        images.Load(batch, step, pixels, CancellationToken.None);
        return pixels;
    }

    [TestMethod]
    public void Load_SameStep_GivesTheSamePixelsAndOthersAtOtherSteps()
    {
        using var data = new DrawnData();
        var rows = data.Tagged();
        int[] batch = [0, 5, 9, 17];
        var pixels = Load(new TrainingImages(rows, TestSetup.Of(DrawnData.Options), 1), batch, 3);
        CollectionAssert.AreEqual(pixels,
            Load(new TrainingImages(rows, TestSetup.Of(DrawnData.Options with { ImageCacheMegabytes = 0 }), 1), batch, 3), "cached or not");
        CollectionAssert.AreNotEqual(pixels, Load(new TrainingImages(rows, TestSetup.Of(DrawnData.Options), 1), batch, 4), "another crop");
        CollectionAssert.AreNotEqual(pixels, Load(new TrainingImages(rows, TestSetup.Of(DrawnData.Options), 2), batch, 3), "another seed");
    }

    [TestMethod]
    public void Load_JpegAtAReducedScale_GivesTheSamePixelsCachedOrNotFromFewerThanTheFullDecode()
    {
        using var data = new DrawnData();
        File.Copy(Golden.Path("preprocess", "images", "02_chelsea_rgb_300x199.jpg"), data.Rows[0].Image, overwrite: true);
        var options = DrawnData.Options with { ImageDecoding = ImageDecoding.Scaled, Augmentation = new() { MinCropScale = 0.5 } };
        var images = new TrainingImages(data.Tagged(), TestSetup.Of(options), 1);
        var pixels = Load(images, [0], 3);
        CollectionAssert.AreEqual(pixels, Load(images, [0], 3), "from the cache");
        var (uncached, full) = (options with { ImageCacheMegabytes = 0 }, options with { ImageDecoding = ImageDecoding.Upright });
        CollectionAssert.AreEqual(pixels, Load(new TrainingImages(data.Tagged(), TestSetup.Of(uncached), 1), [0], 3), "another run");
        CollectionAssert.AreNotEqual(pixels, Load(new TrainingImages(data.Tagged(), TestSetup.Of(full), 1), [0], 3), "in full");
    }

    [TestMethod]
    public void Load_CropOff_GivesTheSamePixelsAtEveryStep()
    {
        using var data = new DrawnData();
        var uncropped = DrawnData.Options with { Augmentation = new() { MinCropScale = 1 } };
        var images = new TrainingImages(data.Tagged(), TestSetup.Of(uncropped), 1);
        CollectionAssert.AreEqual(Load(images, [0, 1], 0), Load(images, [0, 1], 1));
    }

    [TestMethod]
    public void CacheSummary_SecondLoad_TellsTheHitRate()
    {
        using var data = new DrawnData();
        var rows = data.Tagged();
        var images = new TrainingImages(rows, TestSetup.Of(DrawnData.Options), 1);
        Load(images, [0, 1], 0);
        Load(images, [0, 1], 1);
        Assert.AreEqual($"50% of the images came from the cache of decoded images, which holds 2 of {rows.Count} in 0 MB.",
            images.CacheSummary);
    }

    [TestMethod]
    public void Load_BadImageAndPolicyFail_NamesRowAndLocator()
    {
        using var data = new DrawnData();
        data.Break(5);
        var images = new TrainingImages(data.Tagged(), TestSetup.Of(DrawnData.Options), 1);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Load(images, [4, 5, 6]));
        StringAssert.StartsWith(error.Message, $"Row 6: The image '{data.Rows[5].Image}' is not an image");
        StringAssert.EndsWith(error.Message, "To leave such rows out, set BadRows to Skip.");
    }

    [TestMethod]
    public void Load_MissingFileAndPolicyFail_NamesRowAndLocator()
    {
        using var data = new DrawnData();
        File.Delete(data.Rows[3].Image);
        var error = Assert.ThrowsExactly<InvalidDataException>(() =>
            Load(new TrainingImages(data.Tagged(), TestSetup.Of(DrawnData.Options), 1), [3]));
        StringAssert.StartsWith(error.Message, $"Row 4: The image '{data.Rows[3].Image}' cannot be read");
    }

    [TestMethod]
    public void Load_BadImagesAndPolicySkip_TakesTheNextRowsOfTheTypeThatAreNotInTheBatch()
    {
        using var data = new DrawnData();
        data.Break(2, 5, 31);
        var rows = data.Tagged(Skip);
        var images = new TrainingImages(rows, TestSetup.Of(Skip), 1);
        int[] labeled = [1, 2, 3, 5], captioned = [31, 16, 18];
        var pixels = Load(images, labeled);
        Load(images, captioned);
        DataTestRows.Equal<int>([1, 4, 3, 6], labeled);      // 2 -> 4, as 3 is in the batch; 5 -> 6
        DataTestRows.Equal<int>([17, 16, 18], captioned);     // 31 -> 17: round the end, past 16
        Assert.AreEqual(3, images.BadCount);
        DataTestRows.Equal<int>([2, 5, 31], images.LeftOut());
        int[] replaced = [1, 4, 3, 6];
        CollectionAssert.AreEqual(Load(new TrainingImages(rows, TestSetup.Of(Skip), 1), replaced), pixels,
            "the pixels are the replacements'");
    }

    [TestMethod]
    public void Load_BadRowsKnownBefore_GivesTheSameReplacements()
    {
        using var data = new DrawnData();
        data.Break(2, 3, 9);
        var rows = data.Tagged(Skip);
        int[] first = [2, 9, 3, 0], second = [2, 9, 3, 0];
        var fresh = Load(new TrainingImages(rows, TestSetup.Of(Skip), 1), first);
        var resumed = new TrainingImages(rows, TestSetup.Of(Skip), 1);
        resumed.LeaveOut([3, 9]);
        CollectionAssert.AreEqual(fresh, Load(resumed, second));
        CollectionAssert.AreEqual(first, second);
        Assert.AreEqual(3, resumed.BadCount);
    }

    [TestMethod]
    public void Load_WholeTypeInTheBatch_RepeatsAReadableRow()
    {
        using var data = new DrawnData(labeled: 4, captioned: 4);
        data.Break(1);
        var images = new TrainingImages(data.Tagged(Skip), TestSetup.Of(Skip), 1);
        int[] batch = [0, 1, 2, 3];
        Load(images, batch);
        DataTestRows.Equal<int>([0, 2, 2, 3], batch);
    }

    [TestMethod]
    public void Load_MoreBadImagesThanAllowed_SaysHowMany()
    {
        using var data = new DrawnData();
        data.Break(0, 1, 2, 3);
        var options = Skip with { MaxBadRowFraction = 0.1 };   // 3 of 32
        var error = Assert.ThrowsExactly<InvalidDataException>(() =>
            Load(new TrainingImages(data.Tagged(options), TestSetup.Of(options), 1), [0, 1, 2, 3]));
        StringAssert.StartsWith(error.Message,
            "4 of 32 rows cannot be used, more than PrefixClipOptions.MaxBadRowFraction allows (3). The first fault: Row ");
        StringAssert.EndsWith(error.Message, "Repair the rows, or raise the fraction.");
    }

    [TestMethod]
    public void Load_AllImagesOfATypeBad_SaysSo()
    {
        using var data = new DrawnData(labeled: 4, captioned: 4);
        data.Break(4, 5, 6, 7);
        var options = Skip with { MaxBadRowFraction = 1 };
        var error = Assert.ThrowsExactly<InvalidDataException>(() =>
            Load(new TrainingImages(data.Tagged(options), TestSetup.Of(options), 1), [4, 5]));
        StringAssert.StartsWith(error.Message,
            "None of the images of dataset type 'caption' can be read. The first fault: Row 5: The image '");
    }

    [TestMethod]
    public void Load_RowsLeftOutBefore_CountTooAndMessagesKeepTheInputsNumbers()
    {
        using var data = new DrawnData();
        data.Rows[2].Image = "";
        data.Rows[7].Text = "";
        data.Break(9);
        var options = Skip with { MaxBadRowFraction = 0.0625 };   // 2 of 32
        var error = Assert.ThrowsExactly<InvalidDataException>(() =>
            Load(new TrainingImages(data.Tagged(options), TestSetup.Of(options), 1), [7]));
        StringAssert.StartsWith(error.Message, "3 of 32 rows cannot be used, more than PrefixClipOptions.MaxBadRowFraction allows (2). " +
            $"The first fault: Row 10: The image '{data.Rows[9].Image}'");
    }

    [TestMethod]
    public void Load_Cancelled_Throws()
    {
        using var data = new DrawnData();
        var images = new TrainingImages(data.Tagged(), TestSetup.Of(DrawnData.Options), 1);
        Assert.ThrowsExactly<OperationCanceledException>(() =>
            images.Load([0], 0, new float[images.Length], new CancellationToken(canceled: true)));
    }
}
