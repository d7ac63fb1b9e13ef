using System.Buffers.Binary;
using System.IO.Compression;
using System.Reflection;
using System.Security.Cryptography;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A saved model whose parts can be changed, with or without a hash that fits.</summary>
internal sealed class SavedModel
{
    private readonly byte[] _file;

    public SavedModel(ITransformer model)
    {
        using var stream = new MemoryStream();
        new MLContext(1).Model.Save(model, null, stream);
        _file = stream.ToArray();
    }

    private SavedModel(byte[] file) => _file = file;

    public byte[] Part(string name)
    {
        using var zip = new ZipArchive(new MemoryStream(_file));
        return Read(zip.Entries.Single(e => e.Name == name));
    }

    /// <summary>Another part, listed with its own hash.</summary>
    public SavedModel WithPart(string name, byte[] content)
    {
        var (oldHash, newHash) = (SHA256.HashData(Part(name)), SHA256.HashData(content));
        return Changed(name, _ => content).WithHeader(header =>
        {
            newHash.CopyTo(header.AsSpan(header.AsSpan().IndexOf(oldHash)));
            return header;
        });
    }

    /// <summary>Another format version.</summary>
    public SavedModel WithVersion(int version) => WithHeader(header =>
    {
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(StartOfList(header)), version);
        return header;
    });

    /// <summary>Other bytes in the stream that lists the parts.</summary>
    public SavedModel WithHeader(Func<byte[], byte[]> change) => Changed("Model.key", change);

    /// <summary>Where the format version lies: before it comes ML.NET's own header, after it the number of parts and the first
    /// name.</summary>
    public static int StartOfList(byte[] header) => header.AsSpan().IndexOf("\rsettings.json"u8) - 8;

    /// <summary>Behind the last part's hash.</summary>
    public static int EndOfList(byte[] header)
    {
        var lastName = "history.bin"u8;
        return header.AsSpan().IndexOf(lastName) + lastName.Length + SHA256.HashSizeInBytes;
    }

    /// <summary>Loads it.</summary>
    /// <param name="logged">The errors that the MLContext's log got.</param>
    public ITransformer Load(out List<string> logged)
    {
        var mlContext = new MLContext(1);
        var errors = logged = [];
        mlContext.Log += (_, e) =>
        {
            if (e.Kind == Runtime.ChannelMessageKind.Error) errors.Add(e.RawMessage);
        };
        return mlContext.Model.Load(new MemoryStream(_file), out _);
    }

    /// <summary>The text of the error that loading gives; the log must have it too.</summary>
    public string Fault()
    {
        List<string> logged = [];
        var error = (Exception)Assert.ThrowsExactly<TargetInvocationException>(() => Load(out logged));
        while (error is TargetInvocationException { InnerException: { } inner }) error = inner;
        Assert.IsInstanceOfType<InvalidDataException>(error, error.ToString());
        Assert.Contains(error.Message, logged);
        return error.Message;
    }

    private SavedModel Changed(string name, Func<byte[], byte[]> change)
    {
        using var stream = new MemoryStream();
        stream.Write(_file);
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Update, leaveOpen: true))
        {
            var entry = zip.Entries.Single(e => e.Name == name);
            var content = change(Read(entry));
            using var target = entry.Open();
            target.SetLength(0);
            target.Write(content);
        }
        return new SavedModel(stream.ToArray());
    }

    private static byte[] Read(ZipArchiveEntry entry)
    {
        using var source = entry.Open();
        using var bytes = new MemoryStream();
        source.CopyTo(bytes);
        return bytes.ToArray();
    }
}
