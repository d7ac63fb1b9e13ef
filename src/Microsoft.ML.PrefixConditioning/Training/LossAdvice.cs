using System.Globalization;
using System.Runtime.InteropServices;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>What to do about a loss that is not finite, or that stays where guessing would be.</summary>
internal static class LossAdvice
{
    /// <summary>Steps after warm-up, or an epoch if that is longer, before a loss at chance is worth a warning.</summary>
    internal const int PatienceSteps = 200;

    /// <summary>Steps whose mean loss is compared.</summary>
    internal const int Window = 100;

    private const double Tolerance = 0.01;

    // Settings that no published CLIP run comes near; the defaults are 0.2, 1e-6, no clipping and 5e-4.
    private const double LargeDecay = 1, SmallEpsilon = 1e-12, LooseClipNorm = 100, LargeRate = 0.01;

    /// <summary>The error for training that diverged. It advises on the settings that are unusual, if any.</summary>
    public static InvalidOperationException Diverged(PrefixClipOptions options, string what)
    {
        var (optimizer, advice) = (options.Optimizer, new List<string>());
        void Advise(bool isUnusual, string verb, string name, double value, string end = "")
        {
            if (isUnusual) advice.Add(string.Create(CultureInfo.InvariantCulture, $"{verb} {name} (now {value:g3}){end}"));
        }
        Advise(optimizer.WeightDecay > LargeDecay, "lower", "Optimizer.WeightDecay", optimizer.WeightDecay);
        Advise(optimizer.Epsilon < SmallEpsilon, "raise", "Optimizer.Epsilon", optimizer.Epsilon, " to 1e-6");
        Advise(optimizer.GradientClipNorm > LooseClipNorm, "lower", "Optimizer.GradientClipNorm", optimizer.GradientClipNorm ?? 0, " to 1");
        Advise(advice.Count == 0 || options.LearningRate > LargeRate, "lower", nameof(options.LearningRate), options.LearningRate);
        if (advice is [var only] && only.Contains(nameof(options.LearningRate), StringComparison.Ordinal))
        {
            advice.Add("lengthen Optimizer.WarmupSteps");
            if (optimizer.GradientClipNorm is null) advice.Add("set Optimizer.GradientClipNorm to 1");
        }
        var sentence = advice.Count == 1 ? advice[0] : $"{string.Join(", ", advice.SkipLast(1))}, or {advice[^1]}";
        return new($"{what} {char.ToUpperInvariant(sentence[0])}{sentence[1..]}.");
    }

    // The sigmoid loss's bias alone can learn that one pair in N belongs together: N times the entropy of that.
    private static (double Loss, string Formula) Chance(LossFunction loss, int n) => loss == LossFunction.SigLip && n > 1
        ? (Math.Log(n) - (n - 1) * double.LogP1(-1.0 / n), $"ln {n} + {n - 1} ln({n}/{n - 1})") : (Math.Log(n), $"ln {n}");

    /// <summary>A warning where a loss stays at that of a model which tells nothing apart.</summary>
    /// <param name="options">The run's options.</param>
    /// <param name="steps">All steps so far.</param>
    /// <param name="firstStep">Steps before which nothing is said: warm-up, then <see cref="PatienceSteps"/> or an epoch.</param>
    /// <param name="batchSize">Rows per step. The loss at chance does not depend on how many texts are equal.</param>
    /// <returns>Null for any other loss, and between two windows.</returns>
    public static string? AtChance(PrefixClipOptions options, List<TrainingStep> steps, long firstStep, int batchSize)
    {
        if (steps.Count < Math.Max(firstStep, Window) || steps.Count % Window != 0) return null;
        var (chance, formula) = Chance(options.Loss, batchSize);
        var sum = 0.0;
        foreach (var step in CollectionsMarshal.AsSpan(steps)[^Window..]) sum += step.Loss;
        var mean = sum / Window;
        if (Math.Abs(mean - chance) > Tolerance * chance) return null;
        return string.Create(CultureInfo.InvariantCulture,
            $"The mean loss of the last {Window} steps is {mean:0.000}, that of guessing among {batchSize} rows ({formula} = " +
            $"{chance:0.000}): the model tells nothing apart. Lower LearningRate (now {options.LearningRate:g3}) if the loss was lower " +
            $"before, raise it if it never moved, and check that texts belong to their images.");
    }
}
