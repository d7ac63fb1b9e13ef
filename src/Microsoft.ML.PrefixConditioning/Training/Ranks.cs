using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Training's view of its process group: parts of a batch, values from all ranks, and faults, which end every rank.</summary>
/// <remarks>
/// An <see cref="Exchange"/> precedes every other operation of the group. A rank that fails between two exchanges tells the others in the
/// one that they wait for next, so that they throw instead of waiting forever. Without a group there is one rank and nothing to do.
/// </remarks>
/// <param name="group">The group; null for this process alone.</param>
internal sealed class Ranks(ProcessGroup? group)
{
    private const char Value = 'v', Canceled = 'c', BadData = 'd', Failed = 'f';   // what the rest of a message is

    private static readonly JsonSerializerOptions Json = new() { IncludeFields = true };   // fields of tuples

    private Exception? _known;   // the fault that all ranks know of

    /// <summary>Number of ranks.</summary>
    public int Count { get; } = group?.Count ?? 1;

    /// <summary>Whether this is rank 0, which reports, validates, and reads and writes checkpoints.</summary>
    public bool IsFirst { get; } = group is null or { Rank: 0 };

    /// <summary>This rank's part of the rows of a batch, or of its texts.</summary>
    public (int First, int Count) PartOf(int rows) => ProcessGroup.Part(rows, group?.Rank ?? 0, Count);

    /// <summary>Throws where another rank has failed.</summary>
    public void Check() => Exchange("");

    /// <summary>A text from each rank, on all ranks.</summary>
    /// <exception cref="InvalidDataException">Another rank's data cannot be used.</exception>
    /// <exception cref="InvalidOperationException">Another rank has failed.</exception>
    /// <exception cref="OperationCanceledException">Another rank was canceled.</exception>
    public string[] Exchange(string own)
    {
        if (group is null) return [own];
        var all = group.Exchange(own.Length == 0 ? "" : Value + own);
        for (var rank = 0; rank < Count; rank++)
            if (Fault(rank, all[rank]) is { } fault) throw _known = fault;
        return [.. all.Select(message => message.Length == 0 ? "" : message[1..])];
    }

    /// <summary>A value of rank 0, on all ranks.</summary>
    public T FromFirst<T>(T value) => group is null ? value
        : JsonSerializer.Deserialize<T>(Exchange(IsFirst ? JsonSerializer.Serialize(value, Json) : "")[0], Json)!;

    /// <summary>Whether all ranks know of a fault.</summary>
    public bool Knows(Exception fault) => fault == _known;

    /// <summary>Tells the other ranks of a fault, unless they know of it. They must be in an exchange, or come to one.</summary>
    public void Tell(Exception fault)
    {
        if (group is null || fault == _known || (fault, _known) is (OperationCanceledException, OperationCanceledException)) return;
        _known = fault;
        group.Exchange(fault switch
        {
            OperationCanceledException => $"{Canceled}",
            InvalidDataException => BadData + fault.Message,
            _ => $"{Failed}{fault.GetType().Name}: {fault.Message}",
        });
    }

    /// <summary>Throws on all ranks where facts differ that must be the same.</summary>
    /// <param name="what">What differs, as the beginning of a sentence.</param>
    /// <param name="facts">Names and values.</param>
    /// <exception cref="InvalidOperationException">The message names the facts that differ.</exception>
    public void Compare(string what, IReadOnlyDictionary<string, string> facts)
    {
        const int ShownLength = 40;
        if (group is null) return;
        var all = Array.ConvertAll(
            Exchange(JsonSerializer.Serialize(facts)), f => JsonSerializer.Deserialize<Dictionary<string, string>>(f)!);
        var differences =
            from name in all[0].Keys
            let other = Array.FindIndex(all, f => f.GetValueOrDefault(name) != all[0][name])
            where other > 0
            let values = (First: all[0][name], Other: all[other].GetValueOrDefault(name, "missing"))
            select Math.Max(values.First.Length, values.Other.Length) > ShownLength
                ? string.Create(CultureInfo.InvariantCulture, $"{name} (rank 0 and rank {other})")
                : string.Create(CultureInfo.InvariantCulture, $"{name} ({values.First} on rank 0, {values.Other} on rank {other})");
        if (differences.ToArray() is { Length: > 0 } found) throw new InvalidOperationException($"{what}: {string.Join(", ", found)}.");
    }

    /// <summary>Rows of all ranks; the way back is <see cref="PartOf"/>. To be called after an exchange.</summary>
    /// <param name="own">[n, D], this rank's part.</param>
    /// <param name="rows">N, rows of all parts.</param>
    /// <returns>[N, D], without a gradient.</returns>
    public Tensor Gather(Tensor own, int rows)
    {
        if (group is null) return own.detach();
        using var scope = NewDisposeScope();
        var width = (int)own.shape[1];
        var all = new float[rows * width];
        ReadOnlySpan<byte> bytes = own.numel() == 0 ? [] : own.detach().cpu().contiguous().bytes;
        group.Gather(bytes, MemoryMarshal.AsBytes(all.AsSpan()),
            [.. Enumerable.Range(0, Count).Select(rank => ProcessGroup.Part(rows, rank, Count).Count * width * sizeof(float))]);
        return tensor(all, [rows, width], device: own.device).MoveToOuterDisposeScope();
    }

    /// <inheritdoc cref="ProcessGroup.Sum"/>
    /// <remarks>To be called after an exchange.</remarks>
    public void Sum(Span<float> values, Func<bool>? isUrgent = null) => group?.Sum(values, isUrgent);

    /// <summary>Copies rank 0's values into the tensors of all ranks. To be called after an exchange.</summary>
    public void Broadcast(Tensor tensor)
    {
        if (group is null) return;
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var values = tensor.detach().cpu().contiguous();
        foreach (var part in WeightValues.Parts(values)) group.Broadcast(part.bytes);
        tensor.copy_(values);
    }

    private static Exception? Fault(int rank, string message)
    {
        string Told() => string.Create(CultureInfo.InvariantCulture, $"Rank {rank}: {message[1..]}");
        return message.Length == 0 ? null : message[0] switch
        {
            Canceled => new OperationCanceledException(string.Create(CultureInfo.InvariantCulture, $"Rank {rank} was canceled.")),
            BadData => new InvalidDataException(Told()),
            Failed => new InvalidOperationException(Told()),
            _ => null,
        };
    }
}
