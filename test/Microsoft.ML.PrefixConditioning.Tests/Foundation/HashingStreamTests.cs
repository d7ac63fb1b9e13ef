using System.Security.Cryptography;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class HashingStreamTests
{
    private static readonly byte[] Content = [.. Enumerable.Range(0, 1000).Select(i => (byte)i)];

    [TestMethod]
    public void Hash_WrittenBytes_IsTheirSha256AndTheyArePassedOn()
    {
        using var inner = new MemoryStream();
        using (var hashing = new HashingStream(inner))
        {
            hashing.Write(Content, 0, 400);
            hashing.Write(Content.AsSpan(400));
            hashing.WriteByte(7);
            hashing.Flush();
            CollectionAssert.AreEqual(SHA256.HashData([.. Content, 7]), hashing.Hash());
        }
        CollectionAssert.AreEqual(new List<byte>([.. Content, 7]), inner.ToArray());
        Assert.IsTrue(inner.CanWrite, "The inner stream was closed.");
    }

    [TestMethod]
    public void Hash_ReadBytes_IsThatOfWhatWasRead()
    {
        using var hashing = new HashingStream(new MemoryStream(Content));
        var buffer = new byte[300];
        hashing.ReadExactly(buffer);
        CollectionAssert.AreEqual(SHA256.HashData(Content.AsSpan(0, 300)), hashing.Hash());
        Assert.AreEqual(300 % 256, hashing.ReadByte());
        hashing.CopyTo(Stream.Null);
        CollectionAssert.AreEqual(SHA256.HashData(Content), hashing.Hash());
    }

    [TestMethod]
    public void Seek_Always_IsNotSupported()
    {
        using var hashing = new HashingStream(new MemoryStream(Content));
        Assert.IsFalse(hashing.CanSeek);
        Assert.ThrowsExactly<NotSupportedException>(() => hashing.Seek(0, SeekOrigin.Begin));
        Assert.ThrowsExactly<NotSupportedException>(() => hashing.Position = 3);
        Assert.ThrowsExactly<NotSupportedException>(() => hashing.SetLength(3));
        Assert.ThrowsExactly<NotSupportedException>(() => _ = hashing.Length);
    }
}
