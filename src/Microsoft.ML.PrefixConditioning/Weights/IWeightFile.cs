using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A file of named tensors that are read one by one, so that no more than the wanted ones take memory.</summary>
internal interface IWeightFile : IDisposable
{
    /// <summary>All tensors by name. Together they have no more bytes than the file.</summary>
    IReadOnlyDictionary<string, WeightEntry> Entries { get; }

    /// <summary>What the file says of itself besides its tensors; empty where the format has no place for it.</summary>
    IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Reads one tensor of floating-point numbers of any width.</summary>
    /// <param name="name">A name among <see cref="Entries"/>.</param>
    /// <param name="destination">fp32, contiguous, on the processor, with as many values as the tensor; filled in order.</param>
    /// <exception cref="InvalidDataException">The data end early, or the tensor holds no floating-point numbers.</exception>
    void Read(string name, Tensor destination);
}

/// <summary>One tensor of a weight file.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Type">Type of its values in the file.</param>
/// <param name="Shape">Its dimensions.</param>
internal record WeightEntry(string Name, ScalarType Type, long[] Shape)
{
    /// <summary>The shape as messages give it: [768, 3, 32, 32].</summary>
    public static string Describe(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
