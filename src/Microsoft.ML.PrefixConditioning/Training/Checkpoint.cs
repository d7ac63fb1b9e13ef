using System.Globalization;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A run's whole state on disk, so that it can go on after a crash or a stop with the same result as without one.</summary>
/// <remarks>
/// One safetensors file: the weights by name, both moments of AdamW, the history, the rows left out, and as metadata the run's
/// fingerprint, seed and step. It is written to a temporary file and moved into place: a killed process leaves the old one whole.
/// </remarks>
internal sealed class Checkpoint
{
    /// <summary>Name of the file in the checkpoint folder.</summary>
    public const string FileName = "checkpoint.safetensors";

    private const string LossName = "history.loss", RateName = "history.learning_rate", EpochName = "history.epoch",
        AccuracyName = "history.accuracy", SkippedName = "history.skipped_rows";

    private readonly string _path;
    private readonly string _fingerprint;

    /// <param name="folder">Created if it does not exist.</param>
    /// <param name="fingerprint">What makes two runs the same but for their seed.</param>
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
            throw new IOException($"The checkpoint folder '{folder}' cannot be written to: {e.Message} Set {nameof(PrefixClipOptions.CheckpointFolder)} to a folder that can.", e);
        }
    }

    /// <summary>Seed and step of the checkpoint in the folder, or null when there is none.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or belongs to a run with other options or data.</exception>
    public (ulong Seed, int Step)? Find()
    {
        if (!File.Exists(_path)) return null;
        using var stream = File.OpenRead(_path);
        Safetensors.ReadHeader(stream, out var metadata);
        if (metadata.GetValueOrDefault("fingerprint") != _fingerprint)
            throw new InvalidDataException(
                $"The checkpoint '{_path}' belongs to a run with other options or other data. Set {nameof(PrefixClipOptions.CheckpointFolder)} to an empty folder, or delete the file to start anew.");
        if (!ulong.TryParse(metadata.GetValueOrDefault("seed"), CultureInfo.InvariantCulture, out var seed)
            || !int.TryParse(metadata.GetValueOrDefault("step"), CultureInfo.InvariantCulture, out var step))
            throw new InvalidDataException($"The checkpoint '{_path}' does not say its seed and step; it is damaged. Delete it to start anew.");
        return (seed, step);
    }

    /// <summary>Brings weights, optimiser and history to the checkpoint's state.</summary>
    public void Restore(ClipModel model, ClipOptimizer optimizer, TrainingLog log, TrainingImages images, int step)
    {
        using var scope = NewDisposeScope();
        var saved = Safetensors.Load(_path);
        using (no_grad())
            foreach (var (name, tensor) in model.Weights.Concat(optimizer.State))
            {
                if (!saved.TryGetValue(name, out var value) || !value.shape.AsSpan().SequenceEqual(tensor.shape))
                    throw new InvalidDataException($"The checkpoint '{_path}' has no fitting tensor '{name}'; it is damaged. Delete it to start anew.");
                tensor.copy_(value);
            }
        optimizer.StepCount = step;
        float[] losses = Floats(saved[LossName]), rates = Floats(saved[RateName]);
        log.Steps.AddRange(losses.Zip(rates, (loss, rate) => new TrainingStep(loss, rate)));
        log.Validations.AddRange(Longs(saved[EpochName]).Zip(Doubles(saved[AccuracyName]), (epoch, accuracy) => new ValidationResult((int)epoch, accuracy)));
        images.LeaveOut(Longs(saved[SkippedName]).Select(r => (int)r));
    }

    /// <summary>Writes the state after a step.</summary>
    public void Write(ClipModel model, ClipOptimizer optimizer, TrainingLog log, TrainingImages images, ulong seed)
    {
        using var scope = NewDisposeScope();
        var tensors = model.Weights.Concat(optimizer.State).Concat(new KeyValuePair<string, Tensor>[]
        {
            new(LossName, tensor(log.Steps.Select(s => s.Loss).ToArray())),
            new(RateName, tensor(log.Steps.Select(s => s.LearningRate).ToArray())),
            new(EpochName, tensor(log.Validations.Select(v => (long)v.Epoch).ToArray())),
            new(AccuracyName, tensor(log.Validations.Select(v => v.Accuracy).ToArray())),
            new(SkippedName, tensor(images.LeftOut().Select(r => (long)r).ToArray())),
        }).ToArray();
        var metadata = new Dictionary<string, string>
        {
            ["fingerprint"] = _fingerprint,
            ["seed"] = seed.ToString(CultureInfo.InvariantCulture),
            ["step"] = log.Steps.Count.ToString(CultureInfo.InvariantCulture),
        };
        var temporary = $"{_path}.{Environment.ProcessId}.tmp";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.Create))
            {
                Safetensors.Write(stream, tensors, metadata);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, _path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private static float[] Floats(Tensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.numel() == 0 ? [] : tensor.bytes).ToArray();

    private static long[] Longs(Tensor tensor) => MemoryMarshal.Cast<byte, long>(tensor.numel() == 0 ? [] : tensor.bytes).ToArray();

    private static double[] Doubles(Tensor tensor) => MemoryMarshal.Cast<byte, double>(tensor.numel() == 0 ? [] : tensor.bytes).ToArray();
}
