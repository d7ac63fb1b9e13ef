using System.Globalization;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The complete state of a run, as a file holds it. A resumed run gives the same result as an uninterrupted one.</summary>
/// <remarks>
/// One safetensors file: the weights by name, both moments of AdamW, the history, the rows left out, and as metadata the run's
/// fingerprint, seed and step, and a SHA-256 of all of it.
/// </remarks>
internal sealed class Checkpoint : IDisposable
{
    private const string FingerprintKey = "fingerprint", SeedKey = "seed", StepKey = "step", HashKey = "sha256";
    private const string LossName = "history.loss", RateName = "history.learning_rate", EpochName = "history.epoch",
        AccuracyName = "history.accuracy", SkippedName = "history.skipped_rows";

    private readonly string _path;
    private readonly Dictionary<string, Tensor> _tensors;

    private Checkpoint(string path, Dictionary<string, Tensor> tensors, string fingerprint, ulong seed, int step) =>
        (_path, _tensors, Fingerprint, Seed, Step) = (path, tensors, fingerprint, seed, step);

    /// <summary>The run that it belongs to.</summary>
    public string Fingerprint { get; }

    /// <summary>Seed of the run.</summary>
    public ulong Seed { get; }

    /// <summary>Steps done.</summary>
    public int Step { get; }

    /// <summary>Reads a file completely and checks that it is whole.</summary>
    /// <param name="path">The file.</param>
    /// <param name="totalSteps">Steps of the whole run.</param>
    /// <param name="cancellation">Stops reading between two tensors.</param>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Checkpoint Read(string path, int totalSteps, CancellationToken cancellation)
    {
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        try
        {
            using var stream = File.OpenRead(path);
            Safetensors.ReadHeader(stream, out var metadata);
            if (!metadata.TryGetValue(FingerprintKey, out var fingerprint)) throw new InvalidDataException("it names no run.");
            string? seedText = metadata.GetValueOrDefault(SeedKey), stepText = metadata.GetValueOrDefault(StepKey);
            if (!ulong.TryParse(seedText, CultureInfo.InvariantCulture, out var seed)
                || !int.TryParse(stepText, CultureInfo.InvariantCulture, out var step) || step < 0 || step > totalSteps)
                throw new InvalidDataException($"its seed is '{seedText}' and its step '{stepText}' of {totalSteps}.");
            stream.Position = 0;
            tensors = Safetensors.Read(stream, cancellation);
            if (metadata.GetValueOrDefault(HashKey) != HashOf(tensors, metadata, cancellation))
                throw new InvalidDataException("its SHA-256 is not the one it was saved with.");
            return new Checkpoint(path, tensors, fingerprint, seed, step);
        }
        catch (Exception e)
        {
            foreach (var tensor in tensors.Values) tensor.Dispose();
            if (e is InvalidDataException) throw Damaged(path, e.Message, e);
            if (e is IOException or UnauthorizedAccessException)
                throw new IOException($"The checkpoint '{path}' cannot be read: {e.Message} Make it readable for this process, or set " +
                    "Checkpoints.Folder to another folder.", e);
            throw;
        }
    }

    /// <summary>Brings weights, optimizer and history to the checkpoint's state.</summary>
    /// <exception cref="InvalidDataException">The checkpoint is of another model.</exception>
    public void Restore(ClipModel model, ClipOptimizer optimizer, TrainingLog log, TrainingImages images)
    {
        using var scope = NewDisposeScope();
        float[] losses = Values<float>(LossName), rates = Values<float>(RateName);
        long[] epochs = Values<long>(EpochName), skipped = Values<long>(SkippedName);
        var accuracies = Values<double>(AccuracyName);
        if (losses.Length != Step || rates.Length != Step || epochs.Length != accuracies.Length)
            throw Damaged(_path, $"its history has {losses.Length} of {Step} steps.");
        using (no_grad())
            foreach (var (name, tensor) in model.Weights.Concat(optimizer.State)) tensor.copy_(Fitting(name, tensor));
        optimizer.StepCount = Step;
        log.Steps.AddRange(losses.Zip(rates, (loss, rate) => new TrainingStep(loss, rate)));
        log.Validations.AddRange(epochs.Zip(accuracies, (epoch, accuracy) => new ValidationAccuracy((int)epoch, accuracy)));
        images.LeaveOut(skipped.Select(r => (int)r));
    }

    /// <summary>The values of a model's weights.</summary>
    /// <exception cref="InvalidDataException">The checkpoint is of another model.</exception>
    public IEnumerable<KeyValuePair<string, Tensor>> WeightsFor(ClipModel model) =>
        model.Weights.Select(w => KeyValuePair.Create(w.Key, Fitting(w.Key, w.Value)));

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
    public static void Write(
        Stream stream, string fingerprint, ulong seed, ClipModel model, ClipOptimizer optimizer, TrainingLog log, TrainingImages images)
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
            [FingerprintKey] = fingerprint,
            [SeedKey] = seed.ToString(CultureInfo.InvariantCulture),
            [StepKey] = log.Steps.Count.ToString(CultureInfo.InvariantCulture),
        };
        metadata[HashKey] = HashOf(tensors, metadata, CancellationToken.None);
        Safetensors.Write(stream, tensors, metadata);
    }

    /// <summary>SHA-256 over run, seed and step and every tensor's name and values, in the order of the names.</summary>
    private static string HashOf(IEnumerable<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string> metadata,
        CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var hashing = new HashingStream(Stream.Null);
        using var writer = new BinaryWriter(hashing);
        foreach (var key in new[] { FingerprintKey, SeedKey, StepKey }) writer.Write(metadata.GetValueOrDefault(key, ""));
        foreach (var (name, tensor) in tensors.OrderBy(t => t.Key, StringComparer.Ordinal))
        {
            cancellation.ThrowIfCancellationRequested();
            writer.Write(name);
            Safetensors.WriteData(hashing, tensor);
        }
        return Convert.ToHexStringLower(hashing.Hash());
    }

    private Tensor Fitting(string name, Tensor wanted) =>
        _tensors.TryGetValue(name, out var value) && value.dtype == wanted.dtype && value.shape.AsSpan().SequenceEqual(wanted.shape)
            ? value : throw Damaged(_path, $"it has no fitting tensor '{name}'.");

    private T[] Values<T>(string name) where T : unmanaged
    {
        var type = default(T) switch { float => ScalarType.Float32, double => ScalarType.Float64, _ => ScalarType.Int64 };
        if (!_tensors.TryGetValue(name, out var values) || values.dtype != type)
            throw Damaged(_path, $"it has no fitting tensor '{name}'.");
        return values.numel() == 0 ? [] : MemoryMarshal.Cast<byte, T>(values.bytes).ToArray();
    }

    /// <summary>The fault alone: what to do depends on the other checkpoints.</summary>
    private static InvalidDataException Damaged(string path, string fault, Exception? cause = null) =>
        new($"The checkpoint '{path}' is damaged: {fault}", cause);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _tensors.Values) tensor.Dispose();
    }
}
