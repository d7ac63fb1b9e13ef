using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Where a file stores a weight: its names and orientation.</summary>
/// <param name="Names">One name, or several whose tensors are stacked by rows.</param>
/// <param name="IsTransposed">Whether the file stores the transposed matrix.</param>
internal sealed record WeightOrigin(IReadOnlyList<string> Names, bool IsTransposed = false)
{
    private static readonly Dictionary<string, string> HuggingFaceNames = new(StringComparer.Ordinal)
    {
        ["visual.class_embedding"] = "vision_model.embeddings.class_embedding",
        ["visual.positional_embedding"] = "vision_model.embeddings.position_embedding.weight",
        ["visual.conv1.weight"] = "vision_model.embeddings.patch_embedding.weight",
        ["visual.ln_pre"] = "vision_model.pre_layrnorm",   // spelt so there
        ["visual.ln_post"] = "vision_model.post_layernorm",
        ["positional_embedding"] = "text_model.embeddings.position_embedding.weight",
        ["token_embedding.weight"] = "text_model.embeddings.token_embedding.weight",
        ["ln_final"] = "text_model.final_layer_norm",
    };

    private static readonly Dictionary<string, string> HuggingFaceBlockNames = new(StringComparer.Ordinal)
    {
        ["ln_1"] = "layer_norm1", ["ln_2"] = "layer_norm2", ["attn.out_proj"] = "self_attn.out_proj", ["mlp.c_fc"] = "mlp.fc1",
        ["mlp.c_proj"] = "mlp.fc2",
    };

    /// <summary>Where a layout stores a weight.</summary>
    /// <param name="layout">The layout of the file.</param>
    /// <param name="name">The weight's name here, which is open_clip's.</param>
    /// <remarks>Source: the conversion from OpenAI's models in Hugging Face's transformers: q, k and v are separate, projections
    /// transposed.</remarks>
    public static WeightOrigin Of(ClipLayout layout, string name)
    {
        if (layout == ClipLayout.OpenClip) return new WeightOrigin([name]);
        if (name == "visual.proj") return new WeightOrigin(["visual_projection.weight"], IsTransposed: true);
        if (name == "text_projection") return new WeightOrigin(["text_projection.weight"], IsTransposed: true);
        if (HuggingFaceNames.TryGetValue(name, out var other)) return new WeightOrigin([other]);
        var end = name.LastIndexOf('.');   // before "weight" or "bias"
        if (end > 0 && HuggingFaceNames.TryGetValue(name[..end], out var norm)) return new WeightOrigin([norm + name[end..]]);
        const string Blocks = "transformer.resblocks.";
        var at = name.IndexOf(Blocks, StringComparison.Ordinal);
        if (at < 0) return new WeightOrigin([name]);   // logit_scale, and prefixes, which no other program has a name for
        var block = name[(at + Blocks.Length)..];
        var index = block[..block.IndexOf('.', StringComparison.Ordinal)];
        var part = block[(index.Length + 1)..];
        var place = $"{(at > 0 ? "vision_model" : "text_model")}.encoder.layers.{index}.";
        if (part is "attn.in_proj_weight" or "attn.in_proj_bias")
            return new WeightOrigin([.. "qkv".Select(p => $"{place}self_attn.{p}_proj.{part["attn.in_proj_".Length..]}")]);
        var dot = part.LastIndexOf('.');
        return new WeightOrigin([place + HuggingFaceBlockNames[part[..dot]] + part[dot..]]);
    }

    /// <summary>Assembles the weight from a file's tensors; null if one is missing.</summary>
    /// <remarks>Parts of different shapes cannot be joined; the first then stands for the weight, whose shape is checked.</remarks>
    public WeightEntry? In(IReadOnlyDictionary<string, WeightEntry> entries)
    {
        var parts = Names.Select(n => entries.GetValueOrDefault(n)).OfType<WeightEntry>().ToArray();
        if (parts.Length < Names.Count) return null;
        var (first, shape) = (parts[0], parts[0].Shape);
        if (IsTransposed) return first with { Shape = [.. shape.Reverse()], Read = ReadTransposed };
        if (parts.Length == 1 || shape.Length == 0 || parts.Any(p => !p.Shape.SequenceEqual(shape))) return first;
        return first with { Shape = [shape[0] * parts.Length, .. shape[1..]], Read = ReadParts };

        void ReadTransposed(Tensor weight)
        {
            using var scope = NewDisposeScope();
            var stored = empty(shape, ScalarType.Float32);
            first.Read(stored);
            weight.copy_(stored.transpose(0, 1));
        }

        void ReadParts(Tensor weight)   // straight into the weight's memory
        {
            using var scope = NewDisposeScope();
            for (var i = 0; i < parts.Length; i++) parts[i].Read(weight.detach().narrow(0, i * shape[0], shape[0]));
        }
    }

    /// <summary>The tensors that a file has of a weight: views of it.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Split(Tensor weight) => IsTransposed ? [new(Names[0], weight.transpose(0, 1))]
        : Names.Count == 1 ? [new(Names[0], weight)] : Names.Zip(weight.chunk(Names.Count), KeyValuePair.Create);
}
