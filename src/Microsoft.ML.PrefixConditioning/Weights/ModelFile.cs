using System.Security.Cryptography;
using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A model in ML.NET's model repository: the one on-disk format.</summary>
/// <remarks>
/// Main stream: i32 format version, i32 number of parts, then per part its name and the SHA-256 of its bytes. Parts, each a binary stream
/// of its own: settings (JSON), vocabulary, weights (safetensors), history. Version 2 added the mean and standard deviation of pixels to
/// the settings; version 3 a Swin's stages, and an optional part, summaries of the training images' embeddings; version 4 a text projection
/// per dataset type and a Swin's stochastic depth; version 5 the precision of products; version 6 the sigmoid loss's bias and a text
/// tower's own ratio of hidden layers. A model is written as the first version that has what it uses, from 3 on. A newer version, a missing
/// part and a changed byte have an error each.
/// </remarks>
internal static class ModelFile
{
    /// <summary>The newest version that this code writes and reads.</summary>
    public const int FormatVersion = 6;

    private const string SettingsPart = "settings.json", VocabularyPart = "vocabulary.bin";
    private const string WeightsPart = "weights.safetensors", SummariesPart = "summaries.bin", HistoryPart = "history.bin";
    private const string Damaged = "The file was changed or damaged: restore it from a copy.";
    private const long MaxSmallPart = 64 << 20;
    private const int MaxParts = 16;   // more than any version writes; a damaged count must not read on and on

    /// <summary>Writes a model.</summary>
    public static void Write(ModelSaveContext context, TrainedModel model)
    {
        var parts = new List<(string Name, Action<Stream> Write)>
        {
            (SettingsPart, stream => stream.Write(model.Settings.ToJson())),
            (VocabularyPart, model.Tokenizer.Save),
            (WeightsPart, stream => model.Lend(network =>
            {
                using var scope = NewDisposeScope();
                Safetensors.Write(stream, network.WeightsForFiles());
            })),
        };
        if (model.Summaries is { } summaries) parts.Add((SummariesPart, stream => EmbeddingSummary.Write(stream, summaries)));
        parts.Add((HistoryPart, model.History.Write));
        context.Writer.Write(VersionOf(model.Settings));
        context.Writer.Write(parts.Count);
        foreach (var (name, write) in parts)
        {
            byte[] hash = [];
            context.SaveBinaryStream(name, writer =>
            {
                using var hashing = new HashingStream(writer.BaseStream);
                write(hashing);
                hash = hashing.Hash();
            });
            context.Writer.Write(name);
            context.Writer.Write(hash);
        }
    }

    /// <summary>Reads a model.</summary>
    /// <param name="context">Where the model is saved.</param>
    /// <param name="environment">Says which GPU to use, if there is one.</param>
    /// <exception cref="InvalidDataException">The version is newer, or a part is missing, damaged or does not fit the others.</exception>
    public static TrainedModel Read(ModelLoadContext context, IHostEnvironment environment)
    {
        var hashes = ReadHashes(context.Reader);
        var settings = ReadSmallPart(context, hashes, SettingsPart, json => ModelSettings.FromJson(json.ToArray()));
        var tokenizer = ReadSmallPart(context, hashes, VocabularyPart, ClipTokenizer.Load);
        var history = ReadSmallPart(context, hashes, HistoryPart, TrainingHistory.Read);
        var summaries = !hashes.ContainsKey(SummariesPart) ? null : ReadSmallPart(context, hashes, SummariesPart,
            stream => EmbeddingSummary.Read(stream, settings.DatasetTypes.Count, settings.Architecture.EmbeddingSize));
        if (settings.VocabularySize != tokenizer.VocabularySize)
            throw new InvalidDataException(
                $"The model's settings name {settings.VocabularySize} tokens, its vocabulary has {tokenizer.VocabularySize}. {Damaged}");
        ClipModel? network = null;
        try
        {
            ReadPart(context, hashes, WeightsPart, stream =>   // which ML.NET has unpacked; libtorch is needed from here on
            {
                var device = TorchDevice.Resolve(ComputeDevice.Auto, GpuSettings.Of(environment));
                var products = TorchDevice.ProductType(settings.Precision, device, settings.Architecture, environment);
                network = ClipModel.CreateUnset(settings.Shape, device, products: products, rounded: true);
                Safetensors.ReadInto(stream, network.Weights.ToDictionary(w => w.Key, w => w.Value));
            });
            return new TrainedModel(network!, tokenizer, settings, history) { Summaries = summaries };
        }
        catch
        {
            network?.Dispose();
            throw;
        }
    }

    private static int VersionOf(ModelSettings settings) => settings switch
    {
        { HasLogitBias: true } or { Architecture.TextMlpRatio: not null } => 6,
        { Precision: not Precision.Float32 } => 5,
        _ => settings.Architecture.VisionKind?.FormatVersion ?? 3,
    };

    private static Dictionary<string, byte[]> ReadHashes(BinaryReader reader)
    {
        try
        {
            var version = reader.ReadInt32();
            Envelope.CheckVersion("model", version, FormatVersion);
            var hashes = new Dictionary<string, byte[]>(StringComparer.Ordinal);
            for (var count = reader.ReadInt32(); count > 0 && hashes.Count < MaxParts; count--)
                hashes[reader.ReadString()] = reader.ReadBytes(SHA256.HashSizeInBytes);
            return hashes;
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"The model file's list of parts cannot be read: {e.Message} {Damaged}", e);
        }
    }

    /// <summary>Reads a whole part and checks its hash before parsing it.</summary>
    private static T ReadSmallPart<T>(
        ModelLoadContext context, Dictionary<string, byte[]> hashes, string name, Func<MemoryStream, T> parse)
    {
        CheckSize(context, name);
        var content = new MemoryStream();
        ReadPart(context, hashes, name, stream => stream.CopyTo(content));
        content.Position = 0;
        try
        {
            return parse(content);
        }
        catch (Exception e) when (IsDamage(e))
        {
            throw Unreadable(name, e);
        }
    }

    // ML.NET unpacks a part into memory before it gives any of it out; the archive knows the size before.
    private static void CheckSize(ModelLoadContext context, string name)
    {
        if (context.Repository._archive is not { } archive) return;
        var path = Path.Combine(context.Directory ?? "", name).Replace('\\', '/');
        var length = archive.Entries.Where(e => e.FullName.Replace('\\', '/') == path).Select(e => e.Length).DefaultIfEmpty().Max();
        if (length > MaxSmallPart)
            throw new InvalidDataException(
                $"The part '{name}' of the model file has {length} bytes; at most {MaxSmallPart} are read. {Damaged}");
    }

    private static void ReadPart(ModelLoadContext context, Dictionary<string, byte[]> hashes, string name, Action<Stream> read)
    {
        byte[] hash = [];
        Exception? fault = null;
        var found = hashes.TryGetValue(name, out var expected) && context.TryLoadBinaryStream(name, reader =>
        {
            using var hashing = new HashingStream(reader.BaseStream);
            try
            {
                read(hashing);
                hashing.CopyTo(Stream.Null);   // the hash covers the whole part
            }
            catch (Exception e) when (IsDamage(e))
            {
                fault = e;   // where the hash is wrong, that explains more
                SkipToEnd(hashing);
            }
            hash = hashing.Hash();
        });
        if (!found)
            throw new InvalidDataException(
                $"The model file has no part '{name}'. It is incomplete: save the model again, or restore the file from a copy.");
        Envelope.CheckHash($"The part '{name}' of the model file", hash, expected);
        if (fault is not null) throw Unreadable(name, fault);
    }

    private static void SkipToEnd(HashingStream stream)
    {
        try
        {
            stream.CopyTo(Stream.Null);
        }
        catch (InvalidDataException)
        {
            // The archive's own damage; the hash will differ.
        }
    }

    private static bool IsDamage(Exception fault) => fault is InvalidDataException or EndOfStreamException or OverflowException;

    private static InvalidDataException Unreadable(string name, Exception fault) =>
        new($"The part '{name}' of the model file cannot be read: {fault.Message}", fault);
}
