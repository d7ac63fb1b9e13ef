using System.Buffers;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Preprocessed images of several rows.</summary>
/// <param name="encoder">The encoder that preprocessed them.</param>
/// <param name="pixels">[R, 3, S, S] for the R readable images.</param>
/// <param name="readable">Indexes of the readable images among all, ascending.</param>
/// <param name="faults">For each image, why it is unreadable; null if it is readable or counts as missing.</param>
internal sealed class PreparedImages(EmbeddingEncoder encoder, float[] pixels, int[] readable, InvalidDataException?[] faults)
{
    private float[] _pixels = pixels;
    private float[]? _embeddings;

    /// <summary>Whether an image is readable, regardless of the model's policy.</summary>
    public bool IsReadable(int index) => Array.BinarySearch(readable, index) >= 0;

    /// <summary>An image's embedding, [D]. The first call runs the network for all of them.</summary>
    /// <param name="index">Index of the image.</param>
    /// <returns>Unit length; NaN for a missing image.</returns>
    /// <exception cref="InvalidDataException">The image cannot be read and the model's policy is to fail.</exception>
    public ReadOnlySpan<float> Embedding(int index)
    {
        if (faults[index] is { } fault) throw new InvalidDataException(fault.Message, fault);
        _embeddings ??= Encode();
        return _embeddings.AsSpan(index * encoder.EmbeddingSize, encoder.EmbeddingSize);
    }

    private float[] Encode()
    {
        var all = new float[faults.Length * encoder.EmbeddingSize];
        Array.Fill(all, float.NaN);
        if (readable.Length > 0)
        {
            var encoded = encoder.Encode(_pixels, readable.Length);
            for (var i = 0; i < readable.Length; i++)
                encoded.AsSpan(i * encoder.EmbeddingSize, encoder.EmbeddingSize).CopyTo(all.AsSpan(readable[i] * encoder.EmbeddingSize));
        }
        if (_pixels.Length > 0) ArrayPool<float>.Shared.Return(_pixels);   // several megabytes that are not needed again
        _pixels = [];
        return all;
    }
}
