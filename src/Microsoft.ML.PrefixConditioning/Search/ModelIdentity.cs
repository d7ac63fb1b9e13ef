using System.Text.Json;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A hash of all that decides a model's embeddings: weights, vocabulary, and how images are prepared.</summary>
internal static class ModelIdentity
{
    /// <summary>SHA-256. Weights count as rounded to bfloat16, so that a model has one identity in every precision.</summary>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static byte[] Of(TrainedModel model)
    {
        using var hashing = new HashingStream(Stream.Null);
        using var writer = new BinaryWriter(new BufferedStream(hashing, 1 << 16));
        var settings = model.Settings;
        writer.Write(JsonSerializer.Serialize(new
        {
            settings.Architecture, settings.Normalization, settings.ImageDecoding, DatasetTypes = settings.DatasetTypes.Select(t => t.Name),
        }));
        model.Tokenizer.Save(writer.BaseStream);
        model.Lend(network =>
        {
            using var noGrad = no_grad();
            foreach (var (name, weight) in network.Weights)
            {
                using var scope = NewDisposeScope();
                writer.Write(name);
                writer.Flush();
                Safetensors.WriteData(writer.BaseStream, weight.detach().to(ScalarType.BFloat16));
            }
        });
        writer.Flush();
        return hashing.Hash();
    }
}
