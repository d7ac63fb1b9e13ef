namespace PaperStudy;

/// <summary>How a policy of choosing prefixes does over all test sets and seeds. Figures in 0 to 1, as accuracies are.</summary>
/// <param name="Policy">What was judged.</param>
/// <param name="Sets">Number of test sets.</param>
/// <param name="Seeds">Number of seeds.</param>
/// <param name="Mean">Best single prefix minus the choice: mean over test sets, then over seeds. Negative where blends win.</param>
/// <param name="Safe">How often the choice is at most <see cref="Tolerance"/> worse than the caption prefix; null without one.</param>
/// <param name="Worst">The most that the choice is worse than the caption prefix; 0 or less if it never is.</param>
/// <param name="BeatsShifted">How often the choice is better than the best single prefix, on shifted test sets.</param>
/// <param name="BeatsUnseen">The same on test sets of unseen classes.</param>
internal sealed record Regret(
    PrefixPolicy Policy,
    int Sets,
    int Seeds,
    Estimate Mean,
    CountedBoth? Safe,
    WorstBoth? Worst,
    CountedBoth? BeatsShifted,
    CountedBoth? BeatsUnseen)
{
    /// <summary>One point of percent.</summary>
    public const double Tolerance = 0.01;

    // Accuracies are counts divided by counts: a difference of exactly one point may come out a little larger.
    private const double Rounding = 1e-9;

    /// <summary>Judges a policy that has at least one outcome.</summary>
    public static Regret Of(PrefixPolicy policy)
    {
        var outcomes = policy.Outcomes;
        var mean = Estimate.Of(outcomes.GroupBy(o => o.Seed).OrderBy(g => g.Key).Select(g => g.Average(o => o.Best - o.Top1)))!;
        PolicyOutcome[] withCaption = [.. outcomes.Where(o => o.Caption is not null)];
        CountedBoth? safe = null;
        WorstBoth? worst = null;
        if (withCaption.Length > 0)
        {
            var (losses, bySet) = Both(withCaption, o => o.Caption!.Value - o.Top1);
            safe = Counted(losses, bySet, loss => loss <= Tolerance + Rounding);
            worst = new WorstBoth(losses.Max(), bySet.Max());
        }
        return new Regret(policy, outcomes.Select(o => o.TestSet.Name).Distinct().Count(), mean.Count, mean, safe, worst,
            Beats(outcomes, TestRole.Shifted), Beats(outcomes, TestRole.Unseen));
    }

    private static CountedBoth? Beats(IReadOnlyList<PolicyOutcome> outcomes, TestRole role)
    {
        PolicyOutcome[] ofRole = [.. outcomes.Where(o => o.TestSet.Role == role)];
        if (ofRole.Length == 0) return null;
        var (gains, bySet) = Both(ofRole, o => o.Top1 - o.Best);
        return Counted(gains, bySet, gain => gain > Rounding);
    }

    private static (double[] Cells, double[] Sets) Both(PolicyOutcome[] outcomes, Func<PolicyOutcome, double> value) =>
        ([.. outcomes.Select(value)], [.. outcomes.GroupBy(o => o.TestSet.Name).Select(set => set.Average(value))]);

    private static CountedBoth Counted(double[] cells, double[] sets, Func<double, bool> holds) =>
        new(cells.Count(holds), cells.Length, sets.Count(holds), sets.Length);
}

/// <summary>How often something holds: over test sets and seeds, and over test sets with the mean over their seeds.</summary>
internal sealed record CountedBoth(int Cells, int OfCells, int Sets, int OfSets);

/// <summary>The largest value over test sets and seeds, and over test sets with the mean over their seeds.</summary>
internal sealed record WorstBoth(double Cell, double Set);
