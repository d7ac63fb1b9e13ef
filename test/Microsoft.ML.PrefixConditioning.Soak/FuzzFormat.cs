namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A format whose files are changed and read.</summary>
/// <param name="Path">Where a changed file is written.</param>
/// <param name="Valid">The bytes of a file that can be read.</param>
/// <param name="Read">Reads the file at the path, with all that it holds.</param>
internal sealed record FuzzFormat(string Path, byte[] Valid, Action<string> Read)
{
    /// <summary>Whether an exception is one that the documentation names for damaged files.</summary>
    public Func<Exception, bool> IsRefusal { get; init; } = e => e is InvalidDataException;
}
