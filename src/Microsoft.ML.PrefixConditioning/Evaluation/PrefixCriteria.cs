using System.Numerics.Tensors;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Label-free scores of a way to classify images; larger is better. N images, C classes.</summary>
/// <remarks>Logits are made row by row, because N times C may be large. Formulas and sources: docs/evaluation.md.</remarks>
internal static class PrefixCriteria
{
    private const double ShareScale = 6;   // chosen on the validation splits of docs/study.md

    /// <summary>Entropy of the mean prediction minus mean entropy of the predictions, in nats.</summary>
    /// <param name="rows">N.</param>
    /// <param name="classes">C.</param>
    /// <param name="logits">Fills a row's logits, [C].</param>
    public static double MutualInformation(int rows, int classes, Action<int, Span<float>> logits)
    {
        var (row, probabilities, mean) = (new float[classes], new double[classes], new double[classes]);
        var meanEntropy = 0.0;
        for (var n = 0; n < rows; n++)
        {
            logits(n, row);
            Softmax(row, probabilities);
            meanEntropy += Entropy(probabilities) / rows;
            for (var c = 0; c < classes; c++) mean[c] += probabilities[c] / rows;
        }
        return Entropy(mean) - meanEntropy;
    }

    /// <summary>Mean largest probability of the logits less their classes' priors.</summary>
    /// <param name="rows">N.</param>
    /// <param name="classes">C.</param>
    /// <param name="logits">Fills a row's logits, [C].</param>
    /// <param name="trainingMean">[C], the mean logits over training images; empty where they are not known.</param>
    public static double CorrectedConfidence(int rows, int classes, Action<int, Span<float>> logits, ReadOnlySpan<double> trainingMean)
    {
        var (row, probabilities, prior) = (new float[classes], new double[classes], new double[classes]);
        for (var n = 0; n < rows; n++)
        {
            logits(n, row);
            for (var c = 0; c < classes; c++) prior[c] += row[c] / (double)rows;
        }
        for (var c = 0; c < trainingMean.Length; c++) prior[c] = (prior[c] + trainingMean[c]) / 2;
        var confidence = 0.0;
        for (var n = 0; n < rows; n++)
        {
            logits(n, row);
            for (var c = 0; c < classes; c++) row[c] = (float)(row[c] - prior[c]);
            Softmax(row, probabilities);
            confidence += TensorPrimitives.Max<double>(probabilities) / rows;
        }
        return confidence;
    }

    /// <summary>The most probable class of every row; the first of equals.</summary>
    public static int[] Labels(int rows, int classes, Action<int, Span<float>> logits)
    {
        var (row, labels) = (new float[classes], new int[rows]);
        for (var n = 0; n < rows; n++)
        {
            logits(n, row);
            labels[n] = TensorPrimitives.IndexOfMax(row);
        }
        return labels;
    }

    /// <summary>Share of rows with the same label.</summary>
    public static double Agreement(IReadOnlyList<int> labels, IReadOnlyList<int> others) =>
        labels.Zip(others).Count(pair => pair.First == pair.Second) / (double)labels.Count;

    /// <summary>Share of the first type's prefix in a blend with another's: 1 + ln(other / first) / 6, from 0 to a largest one.</summary>
    /// <param name="first">Squared distance of the images from the first type's training images.</param>
    /// <param name="other">That from the other's.</param>
    /// <param name="largest">1 or more; above 1 the blend leads away from the other type.</param>
    public static double FirstShare(double first, double other, double largest) =>
        first == other ? 1 : Math.Clamp(1 + (Math.Log(other / first) / ShareScale), 0, largest);

    private static void Softmax(ReadOnlySpan<float> logits, Span<double> probabilities)
    {
        var largest = TensorPrimitives.Max(logits);   // before exp, so that large logits do not overflow
        for (var c = 0; c < logits.Length; c++) probabilities[c] = Math.Exp((double)logits[c] - largest);
        TensorPrimitives.Divide(probabilities, TensorPrimitives.Sum<double>(probabilities), probabilities);
    }

    /// <summary>In nats; a probability of 0 adds nothing.</summary>
    private static double Entropy(ReadOnlySpan<double> probabilities)
    {
        var entropy = 0.0;
        foreach (var p in probabilities)
            if (p > 0) entropy -= p * Math.Log(p);
        return entropy;
    }
}
