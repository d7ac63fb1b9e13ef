using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A safetensors file whose tensors are read one by one.</summary>
/// <remarks>Only the header is kept. A tensor's bytes go from the file straight into the destination.</remarks>
internal sealed class SafetensorsFile : IWeightFile
{
    // A header of 16 MB would describe more than 100,000 tensors; the largest CLIP models have about 1,000.
    private const long MaxHeaderBytes = 16 << 20;

    private readonly Stream _stream;
    private readonly long _dataStart;

    /// <param name="stream">Seekable; owned from here on, also when this fails.</param>
    /// <exception cref="InvalidDataException">The stream does not hold a valid safetensors file.</exception>
    public SafetensorsFile(Stream stream)
    {
        _stream = stream;
        try
        {
            var header = Safetensors.ReadHeader(stream, out var metadata, MaxHeaderBytes);
            (Metadata, _dataStart) = (metadata, stream.Position);
            Entries = header.ToDictionary(e => e.Name, WeightEntry (e) => e, StringComparer.Ordinal);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, WeightEntry> Entries { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <inheritdoc/>
    public void Read(string name, Tensor destination)
    {
        var place = (Safetensors.Entry)Entries[name];
        _stream.Position = _dataStart + place.Begin;
        FloatReader.Read(_stream, place.Type, destination, name);
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();
}
