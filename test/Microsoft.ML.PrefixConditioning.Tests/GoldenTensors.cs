using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Tensors of a golden safetensors file, without torch. A missing file or tensor fails the test.</summary>
internal static class GoldenTensors
{
    /// <summary>One file's tensors.</summary>
    internal sealed class Tensors(string path, byte[] bytes, int dataStart, JsonElement header)
    {
        /// <summary>Names, in the file's order.</summary>
        public IReadOnlyList<string> Names { get; } = [.. header.EnumerateObject().Select(p => p.Name).Where(n => n != "__metadata__")];

        /// <summary>True if the file has the tensor.</summary>
        public bool Contains(string name) => header.TryGetProperty(name, out _);

        /// <summary>A tensor's dimensions.</summary>
        public int[] Shape(string name) => [.. Entry(name).GetProperty("shape").EnumerateArray().Select(d => d.GetInt32())];

        /// <summary>A tensor of type U8.</summary>
        public ReadOnlySpan<byte> Bytes(string name) => Data(name, "U8");

        /// <summary>A tensor of type F32.</summary>
        public ReadOnlySpan<float> Floats(string name) => MemoryMarshal.Cast<byte, float>(Data(name, "F32"));

        /// <summary>A tensor of type F64.</summary>
        public ReadOnlySpan<double> Doubles(string name) => MemoryMarshal.Cast<byte, double>(Data(name, "F64"));

        /// <summary>A tensor of type I64.</summary>
        public ReadOnlySpan<long> Longs(string name) => MemoryMarshal.Cast<byte, long>(Data(name, "I64"));

        /// <summary>A tensor of type I32.</summary>
        public ReadOnlySpan<int> Ints(string name) => MemoryMarshal.Cast<byte, int>(Data(name, "I32"));

        private ReadOnlySpan<byte> Data(string name, string type)
        {
            var entry = Entry(name);
            Assert.AreEqual(type, entry.GetProperty("dtype").GetString(), $"Type of '{name}' in '{path}'.");
            var offsets = entry.GetProperty("data_offsets");
            return bytes.AsSpan((dataStart + offsets[0].GetInt32())..(dataStart + offsets[1].GetInt32()));
        }

        private JsonElement Entry(string name) => header.TryGetProperty(name, out var entry) ? entry
            : throw new AssertFailedException($"The golden file '{path}' has no tensor '{name}'.");
    }

    /// <summary>Reads a golden file, such as <c>Read("preprocess", "decoded.safetensors")</c>.</summary>
    public static Tensors Read(params string[] parts)
    {
        var path = Golden.Path(parts);
        var bytes = File.ReadAllBytes(path);
        var headerBytes = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        using var document = JsonDocument.Parse(bytes.AsMemory(8, headerBytes));
        return new Tensors(path, bytes, 8 + headerBytes, document.RootElement.Clone());
    }
}
