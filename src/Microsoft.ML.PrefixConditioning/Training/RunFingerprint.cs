using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What makes two training runs the same. A checkpoint continues only in a run with the same fingerprint.</summary>
internal static class RunFingerprint
{
    private const int Version = 4; // of what a checkpoint holds, and of how this package trains

    /// <summary>Options that do not change the result, or that <see cref="TrainingSetup"/> states exactly.</summary>
    internal static readonly HashSet<string> LeftOut = new(StringComparer.Ordinal)
    {
        nameof(PrefixClipOptions.Architecture), nameof(PrefixClipOptions.InitialWeights), nameof(PrefixClipOptions.DatasetTypes),
        nameof(PrefixClipOptions.VocabularyPath), nameof(PrefixClipOptions.VocabularySize), nameof(PrefixClipOptions.BatchSize),
        nameof(PrefixClipOptions.Columns), nameof(PrefixClipOptions.ChunkSize), nameof(PrefixClipOptions.BadRows),
        nameof(PrefixClipOptions.MaxBadRowFraction), nameof(PrefixClipOptions.ImageCacheMegabytes), nameof(PrefixClipOptions.Device),
        nameof(PrefixClipOptions.ValidationSet), nameof(PrefixClipOptions.ValidationPrefix), nameof(PrefixClipOptions.Checkpoints),
        nameof(PrefixClipOptions.Progress), nameof(PrefixClipOptions.CancellationToken), nameof(PrefixClipOptions.ProcessGroup),
    };

    /// <summary>A hash of every option that changes the result, of the vocabulary and of all rows.</summary>
    /// <remarks>Images in memory count by their bytes, others by their full path and <see cref="ImageFiles"/>.</remarks>
    /// <exception cref="OperationCanceledException">The options' token was canceled.</exception>
    public static string Of(
        TaggedRows rows, ClipTokenizer tokenizer, TrainingSetup setup, IHostEnvironment? environment = null) => HashOf(writer =>
    {
        writer.Write(Version);
        writer.Write(JsonSerializer.Serialize(new
        {
            Options = Options(setup.Options), setup.BatchSize, setup.InitialWeightsHash,
            setup.Model.Architecture, setup.Model.Normalization, setup.Model.DatasetTypes,
        }));
        Write(writer, tokenizer);
        Write(writer, rows, setup.Options.CancellationToken);
        using var phase = environment is null ? null : new LongPhase(environment, "Checking image files", "rows");
        var files = new ImageFiles(setup.Options.Checkpoints.HashImages, setup.Options.CancellationToken);
        files.Write(writer, rows.Count, row =>
        {
            phase?.Advance();
            return rows.Images[row].Locator;
        });
    });

    /// <summary>What must be the same on all ranks of a run, by name: every option that matters to more than one rank, and hashes of what
    /// is large.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="setup">What else decides the run.</param>
    /// <param name="seed">Its seed, drawn where the options have none.</param>
    /// <param name="weights">The initial weights.</param>
    public static Dictionary<string, string> Facts(
        TaggedRows rows, ClipTokenizer tokenizer, TrainingSetup setup, ulong seed, IEnumerable<KeyValuePair<string, Tensor>> weights)
    {
        var (options, facts) = (setup.Options, new Dictionary<string, string>());
        void Add(string name, object? value) => facts[name] = JsonSerializer.Serialize(value);
        foreach (var (name, value) in Options(options)) Add(name, value);
        Add(nameof(options.Seed), seed);
        Add(nameof(options.BatchSize), setup.BatchSize);
        Add(nameof(options.BadRows), options.BadRows);
        Add(nameof(options.MaxBadRowFraction), options.MaxBadRowFraction);
        Add($"{nameof(options.Checkpoints)}.{nameof(options.Checkpoints.Steps)}", options.Checkpoints.Steps);
        Add($"{nameof(options.Checkpoints)}.{nameof(options.Checkpoints.Minutes)}", options.Checkpoints.Minutes);
        Add(nameof(options.Architecture), setup.Model.Architecture);
        Add(nameof(options.DatasetTypes), setup.Model.DatasetTypes);
        facts["the normalization of pixels"] = JsonSerializer.Serialize(setup.Model.Normalization);
        facts["the vocabulary"] = HashOf(writer => Write(writer, tokenizer));
        facts["the rows"] = HashOf(writer => Write(writer, rows, options.CancellationToken));
        facts["the initial weights"] = Of(weights);
        return facts;
    }

    /// <summary>A hash of weights in their order.</summary>
    public static string Of(IEnumerable<KeyValuePair<string, Tensor>> weights) => HashOf(writer =>
    {
        foreach (var (name, weight) in weights)
        {
            writer.Write(name);
            writer.Flush();
            Safetensors.WriteData(writer.BaseStream, weight);
        }
    });

    private static JsonObject Options(PrefixClipOptions options) => new(
        from property in typeof(PrefixClipOptions).GetProperties()
        where property.CanWrite && !LeftOut.Contains(property.Name)
        let value = property.GetValue(options)
        select KeyValuePair.Create(property.Name, JsonSerializer.SerializeToNode(value is IReadOnlyDictionary<string, double> weights
            ? weights.OrderBy(w => w.Key, StringComparer.Ordinal)   // a dictionary has no order of its own
            : value)));

    private static string HashOf(Action<BinaryWriter> write)
    {
        using var hashing = new HashingStream(Stream.Null);
        using var writer = new BinaryWriter(new BufferedStream(hashing, 1 << 16));
        write(writer);
        writer.Flush();
        return Convert.ToHexStringLower(hashing.Hash());
    }

    private static void Write(BinaryWriter writer, ClipTokenizer tokenizer)
    {
        using var vocabulary = new MemoryStream();
        tokenizer.Save(vocabulary);
        writer.Write(vocabulary.ToArray());
    }

    /// <remarks>Images count by their full path, or by their bytes where they are in memory; files are not opened: other ranks may have
    /// copies with other times.</remarks>
    private static void Write(BinaryWriter writer, TaggedRows rows, CancellationToken cancellation)
    {
        for (var row = 0; row < rows.Count; row++)
        {
            cancellation.ThrowIfCancellationRequested();
            Write(writer, rows.Images[row]);
            writer.Write(rows.Texts[row]);
            writer.Write(rows.DatasetTypes[row]);
            writer.Write(rows.Labels[row]);
            if (rows.Weights is { } weights) writer.Write(weights.Values[weights.Indexes[row]]);
        }
    }

    private static void Write(BinaryWriter writer, ImageReference image)
    {
        writer.Write(image.Locator is { Length: > 0 } locator ? ImageFiles.FullName(locator) : image.Name);
        if ((image.Encoded ?? image.Pixels) is { } bytes) writer.Write(bytes);
    }
}
