using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A classifier's class embeddings as a file, for programs without prefix support.</summary>
internal static class ClassEmbeddingFile
{
    /// <summary>Writes [C, D] as .npy or .safetensors, depending on the extension.</summary>
    /// <exception cref="ArgumentException">The extension is not supported.</exception>
    /// <exception cref="IOException">The file cannot be written; an existing file is unchanged.</exception>
    public static void Write(string path, ZeroShotClassifier classifier)
    {
        Action<Stream> write = Path.GetExtension(path).ToUpperInvariant() switch
        {
            ".NPY" => stream => WriteNumPy(stream, classifier),
            ".SAFETENSORS" => stream => WriteSafetensors(stream, classifier),
            var other => throw new ArgumentException($"'{path}' has the extension '{other.ToLowerInvariant()}'; the supported " +
                "ones are '.npy' and '.safetensors'.", nameof(path)),
        };
        AtomicFile.Replace(path, write);
    }

    // Source: NumPy's format, version 1.0: magic, version, u16 length of the header, header with padding to 64 bytes, data.
    private static void WriteNumPy(Stream stream, ZeroShotClassifier classifier)
    {
        const int Alignment = 64, Fixed = 10;
        var header = string.Create(CultureInfo.InvariantCulture, $"{{'descr': '<f4', 'fortran_order': False, 'shape': (" +
            $"{classifier.ClassNames.Length}, {classifier.EmbeddingSize}), }}");
        var padded = (Fixed + header.Length + 1 + Alignment - 1) / Alignment * Alignment - Fixed;
        var start = new byte[Fixed];
        "\u0093NUMPY\u0001\0".Select(c => (byte)c).ToArray().CopyTo(start, 0);
        BinaryPrimitives.WriteUInt16LittleEndian(start.AsSpan(8), (ushort)padded);
        stream.Write(start);
        stream.Write(Encoding.ASCII.GetBytes(header.PadRight(padded - 1) + '\n'));
        stream.Write(MemoryMarshal.AsBytes(classifier.Embeddings.AsSpan()));
    }

    private static void WriteSafetensors(Stream stream, ZeroShotClassifier classifier)
    {
        using var scope = NewDisposeScope();
        var embeddings = tensor(classifier.Embeddings, [classifier.ClassNames.Length, classifier.EmbeddingSize]);
        Safetensors.Write(stream, [new("class_embeddings", embeddings), new("logit_scale_exp", tensor(classifier.LogitScale))],
            new Dictionary<string, string>
            {
                ["class_names"] = JsonSerializer.Serialize(classifier.ClassNames),
                ["prefix"] = classifier.Prefix.ToString(),
            });
    }
}
