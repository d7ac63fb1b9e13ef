using System.Globalization;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The complete state of a run on disk. A resumed run gives the same result as an uninterrupted one.</summary>
/// <remarks>
/// One safetensors file: the weights by name, both moments of AdamW, the history, the rows left out, and as metadata the run's
/// fingerprint, seed and step, and a SHA-256 of all of it. It is written to a temporary file and moved into place: a killed process
/// leaves the old one whole.
/// </remarks>
internal sealed class Checkpoint
{
    /// <summary>Name of the file in the checkpoint folder.</summary>
    public const string FileName = "checkpoint.safetensors";

    private const string FingerprintKey = "fingerprint", SeedKey = "seed", StepKey = "step", HashKey = "sha256";
    private const string LossName = "history.loss", RateName = "history.learning_rate", EpochName = "history.epoch",
        AccuracyName = "history.accuracy", SkippedName = "history.skipped_rows";

    private readonly string _path;
    private readonly string _fingerprint;

    /// <param name="folder">Created if it does not exist.</param>
    /// <param name="fingerprint">Equal for runs that differ in their seed only.</param>
    /// <exception cref="IOException">The folder cannot be created or written to.</exception>
    public Checkpoint(string folder, string fingerprint)
    {
        (_path, _fingerprint) = (Path.Combine(folder, FileName), fingerprint);
        try
        {
            Directory.CreateDirectory(folder);
            var probe = Path.Combine(folder, $".probe-{Environment.ProcessId}");
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new IOException($"The checkpoint folder '{folder}' cannot be written to: {e.Message} Set Checkpoints.Folder to a " +
                "folder that can.", e);
        }
    }

    /// <summary>Seed and step of the checkpoint in the folder, or null when there is none.</summary>
    /// <param name="totalSteps">Steps of the whole run.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or belongs to a run with other options or data.</exception>
    public (ulong Seed, int Step)? Find(int totalSteps)
    {
        if (!File.Exists(_path)) return null;
        var metadata = ReadMetadata();
        if (!metadata.TryGetValue(FingerprintKey, out var fingerprint)) throw Damaged("it names no run.");
        if (fingerprint != _fingerprint)
            throw new InvalidDataException(
                $"The checkpoint '{_path}' belongs to a run with other options or other data. Set Checkpoints.Folder to an empty folder, " +
                    "or delete the file to start anew.");
        if (!ulong.TryParse(metadata.GetValueOrDefault(SeedKey), CultureInfo.InvariantCulture, out var seed)
            || !int.TryParse(metadata.GetValueOrDefault(StepKey), CultureInfo.InvariantCulture, out var step) || step < 0
                || step > totalSteps)
            throw Damaged($"its seed is '{metadata.GetValueOrDefault(SeedKey)}' and its step '{metadata.GetValueOrDefault(StepKey)}' of " +
                $"{totalSteps}.");
        return (seed, step);
    }

    /// <summary>Brings weights, optimizer and history to the checkpoint's state.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public void Restore(ClipModel model, ClipOptimizer optimizer, TrainingLog log, TrainingImages images, int step)
    {
        using var scope = NewDisposeScope();
        var metadata = ReadMetadata();
        var saved = ReadTensors();
        if (metadata.GetValueOrDefault(HashKey) != HashOf(saved, metadata))
            throw Damaged("its SHA-256 is not the one it was saved with.");
        float[] losses = Values<float>(saved, LossName), rates = Values<float>(saved, RateName);
        long[] epochs = Values<long>(saved, EpochName), skipped = Values<long>(saved, SkippedName);
        var accuracies = Values<double>(saved, AccuracyName);
        if (losses.Length != step || rates.Length != step || epochs.Length != accuracies.Length)
            throw Damaged($"its history has {losses.Length} of {step} steps.");
        using (no_grad())
            foreach (var (name, tensor) in model.Weights.Concat(optimizer.State))
            {
                if (!saved.TryGetValue(name, out var value) || value.dtype != tensor.dtype
                    || !value.shape.AsSpan().SequenceEqual(tensor.shape))
                    throw Damaged($"it has no fitting tensor '{name}'.");
                tensor.copy_(value);
            }
        optimizer.StepCount = step;
        log.Steps.AddRange(losses.Zip(rates, (loss, rate) => new TrainingStep(loss, rate)));
        log.Validations.AddRange(epochs.Zip(accuracies, (epoch, accuracy) => new ValidationAccuracy((int)epoch, accuracy)));
        images.LeaveOut(skipped.Select(r => (int)r));
    }

    /// <summary>Gives the state that rank 0 restored to all ranks.</summary>
    public static void Share(Ranks ranks, ClipModel model, ClipOptimizer optimizer, TrainingLog log, TrainingImages images)
    {
        var (steps, validations, leftOut) = ranks.FromFirst((log.Steps.ToArray(), log.Validations.ToArray(), images.LeftOut()));
        foreach (var (_, tensor) in model.Weights.Concat(optimizer.State)) ranks.Broadcast(tensor);
        if (ranks.IsFirst) return;
        optimizer.StepCount = steps.Length;
        log.Steps.AddRange(steps);
        log.Validations.AddRange(validations);
        images.LeaveOut(leftOut);
    }

    /// <summary>Writes the state after a step.</summary>
    /// <exception cref="IOException">The file cannot be written; the one before it is still whole.</exception>
    public void Write(ClipModel model, ClipOptimizer optimizer, TrainingLog log, TrainingImages images, ulong seed)
    {
        using var scope = NewDisposeScope();
        var tensors = model.Weights.Concat(optimizer.State).Select(t => KeyValuePair.Create(t.Key, t.Value.detach().cpu())).Concat(
        [
            new(LossName, tensor(log.Steps.Select(s => s.Loss).ToArray())),
            new(RateName, tensor(log.Steps.Select(s => s.LearningRate).ToArray())),
            new(EpochName, tensor(log.Validations.Select(v => (long)v.Epoch).ToArray())),
            new(AccuracyName, tensor(log.Validations.Select(v => v.Accuracy).ToArray())),
            new(SkippedName, tensor(images.LeftOut().Select(r => (long)r).ToArray())),
        ]).ToArray();
        var metadata = new Dictionary<string, string>
        {
            [FingerprintKey] = _fingerprint,
            [SeedKey] = seed.ToString(CultureInfo.InvariantCulture),
            [StepKey] = log.Steps.Count.ToString(CultureInfo.InvariantCulture),
        };
        metadata[HashKey] = HashOf(tensors, metadata);
        try
        {
            // One temporary name, so that the rest of a killed process is overwritten.
            AtomicFile.Replace(_path, $"{_path}.tmp", stream => Safetensors.Write(stream, tensors, metadata));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The checkpoint '{_path}' cannot be written: {e.Message} Free space there, or set Checkpoints.Folder " +
                "to another folder.", e);
        }
    }

    private IReadOnlyDictionary<string, string> ReadMetadata()
    {
        try
        {
            using var stream = File.OpenRead(_path);
            Safetensors.ReadHeader(stream, out var metadata);
            return metadata;
        }
        catch (InvalidDataException e)
        {
            throw Damaged(e.Message, e);
        }
    }

    private Dictionary<string, Tensor> ReadTensors()
    {
        try
        {
            return Safetensors.Load(_path);
        }
        catch (InvalidDataException e)
        {
            throw Damaged(e.Message, e);
        }
    }

    /// <summary>SHA-256 over run, seed and step and every tensor's name and values, in the order of the names.</summary>
    private static string HashOf(IEnumerable<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        using var hashing = new HashingStream(Stream.Null);
        using var writer = new BinaryWriter(hashing);
        foreach (var key in new[] { FingerprintKey, SeedKey, StepKey }) writer.Write(metadata.GetValueOrDefault(key, ""));
        foreach (var (name, tensor) in tensors.OrderBy(t => t.Key, StringComparer.Ordinal))
        {
            writer.Write(name);
            Safetensors.WriteData(hashing, tensor);
        }
        return Convert.ToHexStringLower(hashing.Hash());
    }

    private T[] Values<T>(Dictionary<string, Tensor> saved, string name) where T : unmanaged
    {
        var type = default(T) switch { float => ScalarType.Float32, double => ScalarType.Float64, _ => ScalarType.Int64 };
        if (!saved.TryGetValue(name, out var values) || values.dtype != type) throw Damaged($"it has no fitting tensor '{name}'.");
        return values.numel() == 0 ? [] : MemoryMarshal.Cast<byte, T>(values.bytes).ToArray();
    }

    private InvalidDataException Damaged(string fault, Exception? cause = null) =>
        new($"The checkpoint '{_path}' is damaged: {fault} Restore it from a copy, or delete it to start anew.", cause);
}
