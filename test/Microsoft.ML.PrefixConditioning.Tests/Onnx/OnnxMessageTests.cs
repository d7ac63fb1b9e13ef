namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The encoding of fields, against bytes worked out by hand from the format's description.</summary>
[TestClass]
public sealed class OnnxMessageTests
{
    [TestMethod]
    public void WriteTo_EveryKindOfField_GivesTheKnownBytes()
    {
        var inner = new OnnxMessage().Add(1, -1);
        var message = new OnnxMessage().Add(1, 300).Add(2, 1f).Add(3, "é").Add(20, inner).AddAll(4, [1, 2]).AddStart(9, 200);

        Assert.AreEqual("08AC02" + "150000803F" + "1A02C3A9" + "A2010B" + "08FFFFFFFFFFFFFFFFFF01" + "20012002" + "4AC801",
            Convert.ToHexString(Bytes(message)));
        Assert.AreEqual(Bytes(message).Length, message.Length);
    }

    [TestMethod]
    public void WriteTo_Empty_WritesNothing() => Assert.IsEmpty(Bytes(new OnnxMessage()));

    private static byte[] Bytes(OnnxMessage message)
    {
        using var stream = new MemoryStream();
        message.WriteTo(stream);
        return stream.ToArray();
    }
}
