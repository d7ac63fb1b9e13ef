using System.Numerics.Tensors;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The class embeddings of one set of classes for any prefix. Each single prefix passes the text tower once; blends are computed
/// from the results.</summary>
internal sealed class PrefixedClasses(TrainedModel model, ZeroShotClassificationOptions options)
{
    private readonly Dictionary<PrefixSelection, float[]> _single = [];
    private readonly PromptTemplates _templates = options.PromptTemplates ?? PromptTemplates.Of([.. model.Settings.Templates]);

    /// <summary>C.</summary>
    public int Count => Keys.Names.Length;

    public ClassKeys Keys { get; } = new(options.ClassNames);

    /// <summary>[C, D] row by row, unit length.</summary>
    /// <exception cref="ArgumentException">The selection names a type that the model was not trained on, or has not been chosen
    /// yet.</exception>
    public float[] Embeddings(PrefixSelection prefix)
    {
        PrefixResolution.Resolve(prefix, model.Settings.DatasetTypes);
        return prefix.Weights.Count <= 1 ? Single(prefix) : Blend(prefix);
    }

    /// <summary>The classifier with a prefix.</summary>
    /// <param name="prefix">A selection other than <see cref="PrefixSelection.Auto"/>.</param>
    /// <param name="imageColumn">Column with images or their embeddings.</param>
    public ZeroShotClassifier Classifier(PrefixSelection prefix, string imageColumn) => new()
    {
        ClassNames = Keys.Names, Embeddings = Embeddings(prefix), Prefix = prefix,
        LogitScale = (float)(options.LogitScale ?? model.LogitScale),
        ImageColumnName = imageColumn, LabelColumnName = options.LabelColumnName,
        ScoreColumnName = options.ScoreColumnName, PredictedLabelColumnName = options.PredictedLabelColumnName,
    };

    private float[] Single(PrefixSelection prefix)
    {
        if (!_single.TryGetValue(prefix, out var embeddings))
            _single.Add(prefix, embeddings = model.EncodeClasses(options.Texts, _templates, prefix));
        return embeddings;
    }

    /// <summary>The weighted mean, normalized, as <see cref="ClassEmbeddings"/> computes it.</summary>
    private float[] Blend(PrefixSelection prefix)
    {
        var blend = new float[Count * model.Settings.Architecture.EmbeddingSize];
        foreach (var (type, weight) in prefix.Weights)
            TensorPrimitives.MultiplyAdd(Single(PrefixSelection.For(type)), (float)weight, blend, blend);
        var size = model.Settings.Architecture.EmbeddingSize;
        for (var c = 0; c < Count; c++)
        {
            var row = blend.AsSpan(c * size, size);
            TensorPrimitives.Divide(row, Math.Max(TensorPrimitives.Norm(row), 1e-12f), row);   // libtorch's own guard for opposite prefixes
        }
        return blend;
    }
}
