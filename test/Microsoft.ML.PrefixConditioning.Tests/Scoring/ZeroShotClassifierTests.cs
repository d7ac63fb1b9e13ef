using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ZeroShotClassifierTests
{
    private const int D = 2;

    private static readonly ZeroShotClassifier Classifier = new()
    {
        ClassNames = ["red apple", "grün", "blau"], Embeddings = [1, 0, 0, 1, 0.6f, 0.8f], LogitScale = 4,
        Prefix = PrefixSelection.Blend(("caption", 3), ("classification", 1)),
        ImageColumnName = "I", LabelColumnName = "L", ScoreColumnName = "S", PredictedLabelColumnName = "P",
    };

    [TestMethod]
    public void Score_UnitVectors_IsTheSoftmaxOfScaledCosines()
    {
        var scores = new float[3];
        Classifier.Score([0.8f, 0.6f], scores);
        double[] logits = [4 * 0.8, 4 * 0.6, 4 * 0.96];
        var sum = logits.Sum(Math.Exp);
        for (var c = 0; c < 3; c++) Assert.AreEqual(Math.Exp(logits[c]) / sum, scores[c], 1e-6);
    }

    [TestMethod]
    public void Score_LargeScale_DoesNotOverflow()
    {
        var scores = new float[3];
        (Classifier with { LogitScale = 1e30f }).Score([1, 0], scores);
        CollectionAssert.AreEqual(new float[] { 1, 0, 0 }, scores);
    }

    [TestMethod]
    public void Score_MissingImage_GivesMissingScores()
    {
        var scores = new float[3];
        Classifier.Score([float.NaN, float.NaN], scores);
        Assert.IsTrue(scores.All(float.IsNaN));
    }

    [TestMethod]
    public void Read_WhatWasWritten_IsEqual()
    {
        foreach (var prefix in new[] { Classifier.Prefix, PrefixSelection.None, PrefixSelection.For("caption") })
        {
            var name = prefix == PrefixSelection.None ? null : "C";
            var read = Read(Written(Classifier with { Prefix = prefix, PredictedClassColumnName = name }));
            Assert.AreEqual(name, read.PredictedClassColumnName);
            CollectionAssert.AreEqual(Classifier.ClassNames, read.ClassNames);
            CollectionAssert.AreEqual(Classifier.Embeddings, read.Embeddings);
            Assert.AreEqual(Classifier.LogitScale, read.LogitScale);
            Assert.AreEqual(prefix, read.Prefix);
            string[] names = [read.ImageColumnName, read.LabelColumnName, read.ScoreColumnName, read.PredictedLabelColumnName];
            Assert.AreEqual("I L S P", string.Join(' ', names));
        }
    }

    [TestMethod]
    public void Read_AnyByteChanged_IsRefused()
    {
        var bytes = Written(Classifier);
        for (var at = 0; at < bytes.Length; at++)
            for (var bit = 1; bit < 256; bit <<= 3)
            {
                var changed = (byte[])bytes.Clone();
                changed[at] ^= (byte)bit;
                var error = Assert.ThrowsExactly<InvalidDataException>(() => Read(changed), $"Byte {at}.");
                Assert.Contains("restore", error.Message.ToLowerInvariant(), $"Byte {at}.");
            }
    }

    [TestMethod]
    public void Read_CutShort_IsRefused()
    {
        var bytes = Written(Classifier);
        for (var length = 0; length < bytes.Length; length++)
        {
            var error = Assert.ThrowsExactly<InvalidDataException>(() => Read(bytes[..length]), $"{length} bytes.");
            Assert.StartsWith("The zero-shot classifier in the model file is", error.Message, $"{length} bytes.");
        }
    }

    [TestMethod]
    public void Read_NewerVersion_SaysToUpdate()
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => Read(Rehashed(block => block[7] = 3)));
        Assert.AreEqual("The zero-shot classifier has format version 3; this version of the package reads 1 to 2. " +
            "Update Microsoft.ML.PrefixConditioning to load it.", error.Message);
    }

    [TestMethod]
    public void Read_Version1_HasNoClassColumn()
    {
        var bytes = Written(Classifier);
        var block = bytes[..^(SHA256.HashSizeInBytes + 1)];   // without the empty name at its end
        block[7] = 1;
        BinaryPrimitives.WriteInt32LittleEndian(block.AsSpan(12), block.Length - 16);
        var read = Read([.. block, .. SHA256.HashData(block)]);
        Assert.AreEqual(("P", null), (read.PredictedLabelColumnName, read.PredictedClassColumnName));
    }

    [TestMethod]
    public void Read_ModelOfAnotherEmbeddingSize_SaysBothSizes()
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Read(Written(Classifier), embeddingSize: 5));
        Assert.AreEqual("The zero-shot classifier has 6 numbers for 3 classes; the model's embeddings have 5 each. The file is damaged.",
            error.Message);
    }

    [TestMethod]
    public void Read_NegativeCount_IsRefused()
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => Read(Rehashed(block => BinaryPrimitives.WriteInt32LittleEndian(block[8..], -3))));
        Assert.StartsWith("The zero-shot classifier in the model file is damaged: ", error.Message);
    }

    private static byte[] Written(ZeroShotClassifier classifier)
    {
        using var stream = new MemoryStream();
        using (var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true)) classifier.Write(writer);
        return stream.ToArray();
    }

    private delegate void Change(Span<byte> block);

    private static byte[] Rehashed(Change change)
    {
        var bytes = Written(Classifier);
        var block = bytes.AsSpan(..^SHA256.HashSizeInBytes);
        change(block);
        SHA256.HashData(block, bytes.AsSpan(^SHA256.HashSizeInBytes..));
        return bytes;
    }

    private static ZeroShotClassifier Read(byte[] bytes, int embeddingSize = D)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes));
        return ZeroShotClassifier.Read(reader, embeddingSize);
    }
}
