using System.Buffers.Binary;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PixelFileSourceTests : IDisposable
{
    private readonly DataTestFolder _folder = new();
    private readonly MLContext _mlContext = new(seed: 1);

    public void Dispose() => _folder.Dispose();

    /// <summary>An IDX file of bytes.</summary>
    internal static byte[] Idx(int[] sizes, params ReadOnlySpan<byte> values)
    {
        var file = new byte[4 + (4 * sizes.Length) + values.Length];
        (file[2], file[3]) = (8, (byte)sizes.Length);
        for (var i = 0; i < sizes.Length; i++) BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(4 + (4 * i)), sizes[i]);
        values.CopyTo(file.AsSpan(4 + (4 * sizes.Length)));
        return file;
    }

    [TestMethod]
    public void LoadIdx_Pair_GivesPixelsAndClasses()
    {
        var images = _folder.Write("images", Idx([2, 1, 3], 1, 2, 3, 4, 5, 6));
        var labels = _folder.Write("labels", Idx([2], 1, 0));

        var view = _mlContext.Data.LoadIdx(images, labels, ["boot", "bag"]);

        DataTestRows.Equal([$"{images}!/1@16+3:3x1:gray", $"{images}!/2@19+3:3x1:gray"], view.Texts("Image"));
        DataTestRows.Equal(["bag", "boot"], view.Texts("Text"));
        DataTestRows.Equal(["bag", "boot"], view.Texts("Label"));
        DataTestRows.Equal<byte>([4, 4, 4, 5, 5, 5, 6, 6, 6], Pixels(view.Texts("Image")[1]));
        DataTestRows.Equal(["1", "0"], _mlContext.Data.LoadIdx(images, labels).Texts("Text"));
        Assert.AreEqual($"'{labels}', row 1: the class is 1, but there are only 1 class names.", Fault(images, labels, "boot"));
    }

    [TestMethod]
    public void LoadIdx_DamagedFiles_SaysWhatIsWrong()
    {
        var images = _folder.Write("images", Idx([2, 1, 3], 1, 2, 3, 4, 5, 6));
        var labels = _folder.Write("labels", Idx([2], 1, 0));

        StringAssert.Contains(Fault(labels, images), "begins with 00000801, expected 00000803");
        StringAssert.Contains(Fault(images, _folder.Write("3", Idx([3], 1, 2, 3))), "has 2 images, but");
        StringAssert.Contains(Fault(_folder.Write("short", Idx([2, 1, 3], 1, 2, 3, 4, 5)), labels),
            "should have 2 x 1 x 3 bytes of images");
        StringAssert.Contains(Fault(_folder.Write("huge", Idx([int.MaxValue, int.MaxValue, int.MaxValue])), labels), "but has 0");
        StringAssert.Contains(Fault(_folder.Write("gz", [0x1F, 0x8B, .. new byte[20]]), labels), "unpack it with gunzip");
        StringAssert.Contains(Fault(_folder.Write("none", ""), labels), "begins with 00000000");
        StringAssert.Contains(Fault(_folder.Write("header", [0, 0, 8, 3, 0]), labels), "ends in its header, after 5 bytes.");
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    public void LoadCifar_Files_GivesPixelsAndFineClasses(int labelBytes)
    {
        byte[] Record(byte label, byte red) =>
            [.. labelBytes == 2 ? new byte[] { 9 } : [], label, .. Enumerable.Repeat(red, 1024), .. new byte[1024], .. new byte[1024]];
        _folder.Write("b_1.bin", [.. Record(1, 10), .. Record(0, 20)]);
        _folder.Write("b_2.bin", Record(1, 30));
        Assert.AreEqual("1", _mlContext.Data.LoadCifar(_folder["b_1.bin"]).Texts("Text")[0]);
        _folder.Write(labelBytes == 1 ? "batches.meta.txt" : "fine_label_names.txt", "cat\ndog\n\n");

        var view = _mlContext.Data.LoadCifar(_folder["b_{1..2}.bin"]);

        DataTestRows.Equal(["dog", "cat", "dog"], view.Texts("Label"));
        DataTestRows.Equal<byte>([20, 0, 0], Pixels(view.Texts("Image")[1])[..3]);
        DataTestRows.Equal<byte>([30, 0, 0], Pixels(view.Texts("Image")[2])[..3]);
        StringAssert.StartsWith(view.Texts("Image")[2], _folder["b_2.bin!/1@"]);
        Assert.AreEqual($"'{_folder["b_1.bin"]}', row 1: the class is 1, but there are only 1 class names.",
            DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadCifar(_folder["b_*.bin"], ["cat"])).Message);
        _folder.Write("b_3.bin", new byte[100]);
        StringAssert.Contains(DataTestRows.Fails<InvalidDataException>(() => _mlContext.Data.LoadCifar(_folder["b_3.bin"])).Message,
            "has 100 bytes, neither a multiple of 3073 (CIFAR-10) nor of 3074 (CIFAR-100)");
    }

    private static byte[] Pixels(string locator) =>
        ImageDecoder.Decode(ImageReference.FromLocator(locator), ImageDecoding.Upright).Pixels.ToArray();

    private string Fault(string images, string labels, params string[] names) => DataTestRows.Fails<InvalidDataException>(() =>
        _mlContext.Data.LoadIdx(images, labels, names.Length == 0 ? null : names)).Message;
}
