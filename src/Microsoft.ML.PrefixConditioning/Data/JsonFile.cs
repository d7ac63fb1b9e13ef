using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Small JSON files.</summary>
internal static class JsonFile
{
    /// <summary>One object as UTF-8.</summary>
    /// <param name="options">Indentation and escapes.</param>
    /// <param name="write">Writes the object's properties.</param>
    public static byte[] Write(JsonWriterOptions options, Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, options))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        return stream.ToArray();
    }
}
