using PaperStudy;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>How choices without labels are judged, on numbers that can be followed by hand.</summary>
[TestClass]
public sealed class RegretTests
{
    private static readonly TestSetInfo[] Sets =
        [InventedStudy.Set("near", TestRole.Near, 0, 10), InventedStudy.Set("far", TestRole.Shifted, 1, 10)];

    private static readonly ModelInfo Model = new("prefixes", "", "caption");

    // Two sets, two seeds. The criterion takes: classification, blend; caption, blend.
    private static readonly CellResult[] Cells =
    [
        InventedStudy.Cell("prefixes", 1,
            ("near", "caption", 0.50), ("near", "classification", 0.60), ("near", "none", 0.90), ("near", "half + half", 0.58),
            ("far", "caption", 0.40), ("far", "classification", 0.30), ("far", "none", 0.10), ("far", "half + half", 0.43))
            with { Choices = [InventedStudy.Choice("near", "A", "classification", 0.60),
                InventedStudy.Choice("far", "A", "half + half", 0.43)] },
        InventedStudy.Cell("prefixes", 2,
            ("near", "caption", 0.50), ("near", "classification", 0.60), ("near", "none", 0.90), ("near", "half + half", 0.58),
            ("far", "caption", 0.40), ("far", "classification", 0.30), ("far", "none", 0.10), ("far", "half + half", 0.35))
            with { Choices = [InventedStudy.Choice("near", "A", "caption", 0.50), InventedStudy.Choice("far", "A", "half + half", 0.35)] },
    ];

    [TestMethod]
    public void Of_Criterion_IsAsByHand()
    {
        var regret = Judge("A");

        // Seed 1: (0 - 0.03) / 2 = -0.015; seed 2: (0.10 + 0.05) / 2 = 0.075. "none" has 0.90 on near and is no single type.
        Assert.AreEqual(0.03, regret.Mean.Mean, 1e-12);
        Assert.AreEqual(2, regret.Mean.Count);
        Assert.AreEqual((2, 2), (regret.Sets, regret.Seeds));
        // Worse than caption: near never; far -0.03 and 0.05, mean 0.01, which is still within one point.
        Assert.AreEqual(new CountedBoth(3, 4, 2, 2), regret.Safe);
        Assert.AreEqual(0.05, regret.Worst!.Cell, 1e-12);
        Assert.AreEqual(0.01, regret.Worst.Set, 1e-12);
        // Better than the best single on far: seed 1 by 0.03, seed 2 not; mean -0.01.
        Assert.AreEqual(new CountedBoth(1, 2, 0, 1), regret.BeatsShifted);
        Assert.IsNull(regret.BeatsUnseen);
    }

    [TestMethod]
    public void Of_AlwaysCaption_IsNeverWorseThanItself()
    {
        var regret = Judge("always caption");

        Assert.AreEqual(0.05, regret.Mean.Mean, 1e-12);
        Assert.AreEqual(new CountedBoth(4, 4, 2, 2), regret.Safe);
        Assert.AreEqual(new WorstBoth(0, 0), regret.Worst);
    }

    [TestMethod]
    public void All_CriteriaAndPrefixes_AreCriteriaThenTypesThenNoneThenBlends()
    {
        Assert.AreEqual(
            "A; always caption; always classification; always none; always half + half",
            string.Join("; ", Policies().Select(p => p.Name)));
        Assert.AreEqual(1, Policies().Count(p => !p.IsFixed));
    }

    [TestMethod]
    public void All_ModelWithoutPrefixes_IsEmpty()
    {
        var plain = new ModelInfo("plain", "", "none");
        var study = InventedStudy.Of(Sets, [plain], new Comparison("plain", "none", []),
            InventedStudy.Cell("plain", 1, ("near", "none", 0.5)));

        Assert.IsEmpty(PrefixPolicy.All(new StudyScores(study), "CLIP", plain));
        Assert.IsNull(RegretTable.Of(new StudyScores(study), "CLIP", plain));
    }

    [TestMethod]
    public void Table_Note_SaysHowManySetsAndSeeds()
    {
        var table = RegretTable.Of(Scores(), "CLIP", Model)!;

        Assert.Contains("2 test sets x 2 seeds.", table.Note);
        Assert.AreEqual("3.0", table.Rows[0][2].Text);
        Assert.AreEqual(new TableCell("3 of 4", "(2 of 2 test sets)"), table.Rows[0][3]);
        Assert.AreEqual(new TableCell("5.0", "(1.0 by test set)"), table.Rows[0][4]);
    }

    private static Regret Judge(string policy) => Regret.Of(Policies().Single(p => p.Name == policy));

    private static IReadOnlyList<PrefixPolicy> Policies() => PrefixPolicy.All(Scores(), "CLIP", Model);

    private static StudyScores Scores() => new(InventedStudy.Of(Sets, [Model], new Comparison("prefixes", "caption", []), Cells));
}
