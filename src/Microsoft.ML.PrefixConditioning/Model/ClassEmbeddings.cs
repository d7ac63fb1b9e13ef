using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The zero-shot classifier: one embedding per class name.</summary>
internal static class ClassEmbeddings
{
    private const int TextsPerPass = 256; // bounds memory; a thousand classes with seven templates are 7,000 texts

    /// <summary>Class embeddings: the mean over the templates, made unit length again; several prefixes are blended the same way.</summary>
    /// <param name="model">The towers.</param>
    /// <param name="tokenizer">The model's vocabulary.</param>
    /// <param name="classNames">C names.</param>
    /// <param name="templates">T templates.</param>
    /// <param name="prefixes">Dataset types by index with weights that add up to 1; empty for no prefix.</param>
    /// <param name="onPass">Called before every pass with the number of texts encoded so far; may throw to cancel.</param>
    /// <returns>[C, D], rows of length 1; the caller disposes it.</returns>
    /// <remarks>Source: CLIP paper, section 3.1.4; open_clip v3.3.0, <c>build_zero_shot_classifier</c>.</remarks>
    public static Tensor Compute(
        ClipModel model, ClipTokenizer tokenizer, IReadOnlyList<string> classNames, PromptTemplates templates,
            IReadOnlyList<(int Type, double Weight)> prefixes, Action<int>? onPass = null)
    {
        var tokens = new int[classNames.Count * templates.Count][];
        for (var i = 0; i < tokens.Length; i++)
        {
            if (i % TextsPerPass == 0) onPass?.Invoke(0);
            var text = templates.Fill(i % templates.Count, classNames[i / templates.Count]);
            tokens[i] = tokenizer.Encode(text, model.Shape.Architecture.ContextLength);
        }
        return FromTokens(model, tokens, templates.Count, prefixes, onPass);
    }

    /// <summary>Class embeddings of tokenized sentences.</summary>
    /// <param name="model">The towers.</param>
    /// <param name="tokens">C * T sentences, the templates of a class one after the other.</param>
    /// <param name="templates">T.</param>
    /// <param name="prefixes">Dataset types by index with weights that add up to 1; empty for no prefix.</param>
    /// <param name="onPass">Called before every pass with the number of texts encoded so far; may throw to cancel.</param>
    /// <returns>[C, D], rows of length 1; the caller disposes it.</returns>
    internal static Tensor FromTokens(ClipModel model, IReadOnlyList<int[]> tokens, int templates,
        IReadOnlyList<(int Type, double Weight)> prefixes, Action<int>? onPass = null)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();   // not inference mode: its tensors end the process in any later computation with gradients
        var single = prefixes.Count == 0 ? [(Type: (int?)null, Weight: 1.0)]
            : prefixes.Select(p => (Type: (int?)p.Type, p.Weight)).ToArray();
        Tensor? sum = null;
        foreach (var (type, weight) in single)
        {
            // [C, T, D], unit length
            var perTemplate = Encode(model, tokens, type, onPass).view(-1, templates, model.Shape.Architecture.EmbeddingSize);
            var perClass = nn.functional.normalize(perTemplate.mean([1]), p: 2, dim: 1).Times(weight);   // [C, D]
            sum = sum is null ? perClass : sum.Plus(perClass);
        }
        return nn.functional.normalize(sum!, p: 2, dim: 1).MoveToOuterDisposeScope();
    }

    /// <summary>Unit-length embeddings of tokenized texts, in passes of bounded size: [U, D] for U texts.</summary>
    /// <param name="model">The towers.</param>
    /// <param name="tokens">Token ids of each text.</param>
    /// <param name="datasetType">The prefix that all texts get, by its type's index; null for none.</param>
    /// <param name="onPass">Called before every pass with the number of texts encoded so far; may throw to cancel.</param>
    public static Tensor Encode(ClipModel model, IReadOnlyList<int[]> tokens, int? datasetType, Action<int>? onPass = null)
    {
        using var scope = NewDisposeScope();
        var parts = tokens.Chunk(TextsPerPass).Select((chunk, pass) =>
        {
            onPass?.Invoke(pass * TextsPerPass);
            long[]? types = datasetType is { } type ? [.. Enumerable.Repeat((long)type, chunk.Length)] : null;
            return model.EncodeTexts(TokenBatch.Pad(chunk), types);
        }).ToArray();
        return cat(parts, 0).MoveToOuterDisposeScope();
    }
}
