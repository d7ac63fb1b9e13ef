using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Encodes what references and random draws give as tensors.</summary>
internal static class TensorInputs
{
    /// <summary>[N, 3, S, S] and [N] -> [N, D].</summary>
    public static Tensor EncodeImages(this ClipModel model, Tensor images, Tensor types) => model.EncodeImages(images, Values(types));

    /// <summary>[N, L] ids and [N] -> [N, D].</summary>
    public static Tensor EncodeTexts(this ClipModel model, Tensor ids, Tensor? types) => model.EncodeTexts(Batch(ids), Values(types));

    /// <summary>[N, 3, S, S] and [N] -> [N, D], not of unit length.</summary>
    public static Tensor Forward(this IVisionTower tower, Tensor images, Tensor types) => tower.Forward(images, Values(types));

    /// <summary>[N, L] ids and [N] -> [N, D], not of unit length.</summary>
    public static Tensor Forward(this TextTower tower, Tensor ids, Tensor? types) => tower.Forward(Batch(ids), Values(types));

    private static TokenBatch Batch(Tensor ids) => new([.. ids.data<long>()], (int)ids.shape[0], (int)ids.shape[1]);

    private static long[]? Values(Tensor? types) => types is null ? null : [.. types.data<long>()];
}
