using System.Security.Cryptography;
using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What is saved of a pixel transformer, and what damage of it gives.</summary>
[TestClass]
public sealed class ClipPixelsSettingsTests
{
    [TestMethod]
    public void Read_WhatWasWritten_IsEqual()
    {
        var settings = Settings() with { OutputColumnName = "Ä \"x\"" };

        var read = Read(Written(settings));

        Assert.AreEqual(settings.Normalization, read.Normalization);
        Assert.AreEqual(settings, read with { Normalization = settings.Normalization });
    }

    [TestMethod]
    public void Read_EveryChangedByte_IsRefused()
    {
        var bytes = Written(Settings());
        for (var i = 0; i < bytes.Length; i++)
        {
            var changed = (byte[])bytes.Clone();
            changed[i] ^= 1;
            Assert.ThrowsExactly<InvalidDataException>(() => Read(changed), $"Byte {i}.");
        }
    }

    [TestMethod]
    public void Read_CutAnywhere_IsRefused()
    {
        var bytes = Written(Settings());
        for (var length = 0; length < bytes.Length; length++)
            Assert.ThrowsExactly<InvalidDataException>(() => Read(bytes[..length]), $"{length} bytes.");
    }

    [TestMethod]
    public void Read_NewerVersion_SaysToUpdate()
    {
        var bytes = Written(Settings());
        bytes[7] = 2;
        SHA256.HashData(bytes.AsSpan(..^SHA256.HashSizeInBytes), bytes.AsSpan(^SHA256.HashSizeInBytes..));

        var error = Assert.ThrowsExactly<InvalidDataException>(() => Read(bytes));

        Assert.Contains("format version 2", error.Message);
        Assert.Contains("Update", error.Message);
    }

    [TestMethod]
    [DataRow("\"ImageSize\":16", "\"ImageSize\":2000000000", "image size is 2000000000")]
    [DataRow("\"ImageSize\":16", "\"ImageSize\":0", "image size is 0")]
    [DataRow("\"StandardDeviation\":{\"Red\":0.26862955,", "\"StandardDeviation\":{\"Red\":0,", "three numbers above 0")]
    [DataRow("\"Mean\":{\"Red\":0.48145467,\"Green\":0.4578275,\"Blue\":0.40821072}", "\"Mean\":null", "damaged")]
    [DataRow("\"Rgb255\"", "\"Rgb256\"", "damaged")]
    public void Read_ValuesThatCannotBe_AreRefused(string old, string replacement, string expected)
    {
        var json = Encoding.UTF8.GetString(Written(Settings()));
        json = json[json.IndexOf('{', StringComparison.Ordinal)..(json.LastIndexOf("\"}", StringComparison.Ordinal) + 2)];
        Assert.Contains(old, json);
        json = json.Replace(old, replacement, StringComparison.Ordinal);
        using var stream = new MemoryStream();
        new Envelope("CLPIXEL", 1, "").Write(stream, items: 1, writer => writer.Write(Encoding.UTF8.GetBytes(json)));

        var error = Assert.ThrowsExactly<InvalidDataException>(() => Read(stream.ToArray()));

        Assert.Contains(expected, error.Message);
    }

    private static ClipPixelsSettings Settings()
    {
        using var model = SmallModel.CreateTrained();
        return ClipPixelsSettings.Of(model.Settings, PixelValues.Rgb255);
    }

    private static byte[] Written(ClipPixelsSettings settings)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        settings.Write(writer);
        return stream.ToArray();
    }

    private static ClipPixelsSettings Read(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes));
        return ClipPixelsSettings.Read(reader);
    }
}
