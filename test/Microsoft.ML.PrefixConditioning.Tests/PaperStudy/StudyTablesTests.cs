using PaperStudy;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What the tables of a study say.</summary>
[TestClass]
public sealed class StudyTablesTests
{
    private static readonly TestSetInfo[] Sets =
    [
        InventedStudy.Set("near", TestRole.Near, 0, 10), InventedStudy.Set("far", TestRole.Shifted, 2, 10),
            InventedStudy.Set("new", TestRole.Unseen, 1, 5),
    ];

    private static readonly ModelInfo[] Models = [new("a", "", "none"), new("b", "", "none"), new("p", "", "caption")];
    private static readonly Comparison Comparison = new("p", "caption", [new ModelAndPrefix("a", "none"), new ModelAndPrefix("b", "none")]);

    [TestMethod]
    public void ByModel_Columns_AreTestSetsThenMeans()
    {
        var rows = AccuracyRows.ByModel(Scores(), "CLIP", score => score.Top1);

        Assert.AreEqual(
            "near; far; new; near mean; shifted and unseen mean",
            string.Join("; ", rows.Columns.Select(c => c.Name)));
        // Model a: far 0.30, new 0.20 with seed 1; 0.32 and 0.22 with seed 2; 0.34 and 0.24 with seed 3.
        Assert.AreEqual(0.27, rows.Rows[0].Estimates[4]!.Mean, 1e-12);
        // Deviation 0.02, times 4.302652730, by the root of 3.
        Assert.AreEqual(0.049682752, rows.Rows[0].Estimates[4]!.Half!.Value, 1e-8);
    }

    [TestMethod]
    public void ByModel_Table_MarksTheBestAndHasChance()
    {
        var table = AccuracyRows.ByModel(Scores(), "CLIP", score => score.Top1).ToTable("Title", "What.");

        Assert.AreEqual(
            "p; caption; 3; 52.0; 42.0; 32.0; 52.0; 37.0",
            string.Join("; ", table.Rows[2].Select(c => c.Text)));
        Assert.AreEqual("± 5.0", table.Rows[2][3].Detail);
        Assert.IsTrue(table.Rows[2].Skip(3).All(c => c.Mark == CellMark.Best));
        Assert.IsFalse(table.Rows.Take(2).SelectMany(row => row).Any(c => c.Mark == CellMark.Best));
        Assert.AreEqual(
            "chance; ; ; 10.0; 10.0; 20.0; 10.0; 15.0",
            string.Join("; ", table.Foot[0].Select(c => c.Text)));
    }

    [TestMethod]
    public void ByModel_TopFiveChance_IsFiveGuesses()
    {
        var table = AccuracyRows.ByModel(Scores(), "CLIP", score => score.Top5).ToTable("Title", "What.", guesses: 5);

        Assert.AreEqual(
            "50.0; 50.0; 100.0; 50.0; 75.0",
            string.Join("; ", table.Foot[0].Skip(3).Select(c => c.Text)));
    }

    [TestMethod]
    public void ByPrefix_ModelWithOnePrefix_HasNoRows()
    {
        var scores = Scores();

        Assert.IsEmpty(AccuracyRows.ByPrefix(scores, "CLIP", Models[0]).Rows);
        Assert.AreEqual(
            "caption; classification; none; half + half",
            string.Join("; ", AccuracyRows.ByPrefix(scores, "CLIP", Models[2]).Rows.Select(row => row.Prefix)));
    }

    [TestMethod]
    public void ByPrefix_ChoicesOfTheDefaultCriterion_AreTheLastRow()
    {
        var cell = InventedStudy.Cell("p", 1, ("far", "caption", 0.4), ("far", "classification", 0.3), ("new", "caption", 0.2),
            ("new", "classification", 0.5)) with
        {
            Choices =
            [
                InventedStudy.Choice("far", "Consistency", "classification", 0.3),
                    InventedStudy.Choice("new", "Consistency", "classification", 0.5),
                InventedStudy.Choice("far", "DistanceRatio", "caption", 0.4),
                    InventedStudy.Choice("new", "DistanceRatio", "classification", 0.5),
            ],
        };
        var scores = new StudyScores(Results(cell));

        var rows = AccuracyRows.ByPrefix(scores, "CLIP", Models[2]);

        Assert.AreEqual("caption; classification; auto", string.Join("; ", rows.Rows.Select(row => row.Prefix)));
        Assert.AreEqual(0.45, rows.Rows[2].Estimates[^1]!.Mean, 1e-12, "of the shifted and unseen mean");
        Assert.DoesNotContain("auto", string.Join("; ", PrefixPolicy.All(scores, "CLIP", Models[2]).Select(p => p.Name)));
    }

    [TestMethod]
    public void Mean_SeedWithoutOneOfTheSets_IsLeftOut()
    {
        var column = ScoreColumn.All(Results(), "test")[^1];
        var study = Results(InventedStudy.Cell("a", 1, ("far", "none", 0.4), ("new", "none", 0.2)),
            InventedStudy.Cell("a", 2, ("far", "none", 0.9)));

        var values = new StudyScores(study).BySeed("CLIP", "a", "none", column, score => score.Top1);

        Assert.HasCount(1, values);
        Assert.AreEqual(0.3, values[1], 1e-12);
    }

    [TestMethod]
    public void Differences_TwoOthers_EndWithTheBetterOfThem()
    {
        var rows = DifferenceRows.All(Scores(), "CLIP").Single();

        Assert.AreEqual(
            "\"a\"; \"b\"; the better of the two",
            string.Join("; ", rows.Rows.Select(row => row.Name)));
        // On near, a is better than b; on far, b than a: 0.52 - 0.42 and 0.42 - 0.37.
        Assert.AreEqual(0.10, rows.Rows[2].Differences[0]!.Mean, 1e-12);
        Assert.AreEqual(0.05, rows.Rows[2].Differences[1]!.Mean, 1e-12);
    }

    [TestMethod]
    public void Differences_Table_MarksOnlyIntervalsWithoutZero()
    {
        var table = DifferenceRows.All(Scores(), "CLIP").Single().ToTable();

        // p - a on near is 0.10 with every seed; p - b is 0.12, 0.22, 0.32.
        Assert.AreEqual(new TableCell("+10.0", "(10.0 to 10.0)", CellMark.Better), table.Rows[0][2]);
        Assert.AreEqual(new TableCell("+22.0", "(-2.8 to 46.8)"), table.Rows[1][2]);
    }

    [TestMethod]
    [DataRow(0.012, 0.009, 5, "better by 1.2 points (0.3 to 2.1), 5 seeds")]
    [DataRow(-0.012, 0.009, 5, "worse by 1.2 points (0.3 to 2.1), 5 seeds")]
    [DataRow(-0.004, 0.011, 5, "no difference shown: -0.4 (-1.5 to 0.7), 5 seeds")]
    [DataRow(0.012, 0.009, 2, "no claim from 2 seeds (3 are needed): +1.2 (0.3 to 2.1)")]
    public void Claim_Difference_SaysNoMoreThanItsInterval(double mean, double half, int count, string expected) =>
        Assert.AreEqual(expected, Claims.Of(new Estimate(mean, half, count)));

    [TestMethod]
    public void Differences_AgainstTheBetter_AreNeverMarkedWorse()
    {
        // p is 10 points below a, which is the better of the two, with every seed.
        var cells = Enumerable.Range(1, 3).SelectMany(seed => new[]
        {
            InventedStudy.Cell("p", seed, ("near", "caption", 0.4)), InventedStudy.Cell("a", seed, ("near", "none", 0.5)),
            InventedStudy.Cell("b", seed, ("near", "none", 0.3)),
        });
        var scores = new StudyScores(Results([.. cells]));

        var table = DifferenceRows.All(scores, "CLIP").Single().ToTable();

        Assert.AreEqual(CellMark.Worse, table.Rows[0][2].Mark);
        Assert.AreEqual(new TableCell("-10.0", "(-10.0 to -10.0)"), table.Rows[2][2]);
        Assert.EndsWith("on the near mean not better: -10.0 (-10.0 to -10.0), 3 seeds.", Claims.OfComparisons(scores)[2]);
    }

    [TestMethod]
    public void Accuracies_EqualButForRounding_AreBothTheBest()
    {
        var scores = new StudyScores(Results(
            InventedStudy.Cell("a", 1, ("near", "none", 0.1 + 0.2)), InventedStudy.Cell("b", 1, ("near", "none", 0.3))));

        var rows = AccuracyRows.ByModel(scores, "CLIP", score => score.Top1);

        Assert.IsTrue(rows.Rows.Where(row => row.Estimates[0] is not null).All(row => rows.IsBest(row, 0)));
    }

    [TestMethod]
    public void Progress_OneModelForTwoLosses_CountsOnce()
    {
        var cell = InventedStudy.Cell("a", 1, ("near", "none", 0.5));
        var results = Results(cell, cell with { Loss = "UniCL" });

        Assert.StartsWith("1 model trained", StudyProgress.Of(results));
    }

    [TestMethod]
    public void CaptionPrefix_TypeOfTheCaptions_MayHaveAnyName()
    {
        var scores = new StudyScores(Results(InventedStudy.Cell("p", 1, ("near", "coco", 0.5), ("near", "classification", 0.4))));

        Assert.AreEqual("coco", scores.CaptionPrefix("CLIP", new ModelInfo("p", "", "none", "coco")));
        Assert.IsNull(scores.CaptionPrefix("CLIP", new ModelInfo("p", "", "none")));
    }

    [TestMethod]
    public void Claim_OneSeedOrNone_SaysSo()
    {
        Assert.AreEqual("no claim from 1 seed (3 are needed): +1.2", Claims.Of(new Estimate(0.012, null, 1)));
        Assert.AreEqual("not known yet: no seed has all of them", Claims.Of(null));
    }

    [TestMethod]
    public void Claims_OfComparison_NameModelsColumnAndSeeds()
    {
        var claims = Claims.OfComparisons(Scores());
        Assert.HasCount(3, claims);
        Assert.StartsWith("CLIP: \"p\" (caption) against \"a\": on the shifted and unseen mean ", claims[0]);
        Assert.EndsWith("; on the near mean better by 10.0 points (10.0 to 10.0), 3 seeds.", claims[0]);
        Assert.StartsWith("CLIP: \"p\" (caption) against \"b\": on the shifted and unseen mean ", claims[1]);
        Assert.EndsWith("; on the near mean no difference shown: +22.0 (-2.8 to 46.8), 3 seeds.", claims[1]);
        Assert.AreEqual(
            "CLIP: \"p\" (caption) against the better of the two: on the shifted and unseen mean better by 7.5 points (7.5 to 7.5), 3 " +
                "seeds; "
            + "on the near mean better by 10.0 points (10.0 to 10.0), 3 seeds.",
            claims[2]);
    }

    [TestMethod]
    public void Claims_OfChoices_SayRegretLossAndGain()
    {
        CellResult Chosen(int seed) => InventedStudy.Cell("p", seed,
            ("near", "caption", 0.5), ("near", "classification", 0.6), ("far", "caption", 0.4), ("far", "classification", 0.3),
                ("far", "half + half", 0.45)) with
        {
            Choices =
            [
                InventedStudy.Choice("near", "DistanceRatio", "caption", 0.49),
                    InventedStudy.Choice("far", "DistanceRatio", "half + half", 0.45),
                InventedStudy.Choice("near", "Consistency", "classification", 0.6),
                    InventedStudy.Choice("far", "Consistency", "classification", 0.3),
            ],
        };
        // Regret: 0.60 - 0.49 near and 0.40 - 0.45 far.
        Assert.AreEqual(
            "CLIP: \"p\", prefix chosen without labels by DistanceRatio: mean regret against the best single prefix, chosen with labels, " +
                "3.0 ± 0.0 points "
            + "(always the caption prefix: 5.0 ± 0.0); at most 1.0 points worse than the caption prefix on the mean of any test set; "
            + "above the best single prefix on the mean of 1 of 1 shifted test set; 2 test sets, 3 seeds.",
            Claims.OfChoices(new StudyScores(Results(Chosen(1), Chosen(2), Chosen(3)))).Single());
        Assert.EndsWith("2 test sets, 2 seeds, no claim (3 seeds are needed).",
            Claims.OfChoices(new StudyScores(Results(Chosen(1), Chosen(2)))).Single());
        Assert.IsEmpty(Claims.OfChoices(Scores()));
    }

    [TestMethod]
    public void Shift_TestSets_StandFromNearToFar()
    {
        var shift = ShiftRows.All(Scores(), "CLIP").Single();

        Assert.AreEqual(
            "near; new; far; near mean; shifted and unseen mean",
            string.Join("; ", shift.Columns.Select(c => c.Name)));
        Assert.AreEqual("classification", shift.Rows.Single().Name);
        Assert.AreEqual(-0.10, shift.Rows[0].Differences[0]!.Mean, 1e-12);
        Assert.AreEqual(0.05, shift.Rows[0].Differences[2]!.Mean, 1e-12);
        Assert.AreEqual(-0.10, shift.Rows[0].Differences[3]!.Mean, 1e-12);
        Assert.IsNull(shift.Rows[0].Differences[4], "a test set of the mean has no classification prefix");
        Assert.Contains("near to far", shift.ToTable().Note);
        Assert.AreEqual(
            "CLIP: \"p\", caption prefix against classification prefix: on the shifted and unseen mean not known yet: no seed has all of " +
                "them; "
            + "on the near mean worse by 10.0 points (10.0 to 10.0), 3 seeds.",
            Claims.OfPrefixes(Scores()).Single());
    }

    private static StudyScores Scores() => new(Results([.. Enumerable.Range(1, 3).SelectMany(Cells)]));

    private static StudyResults Results(params CellResult[] cells) => InventedStudy.Of(Sets, Models, Comparison, cells);

    private static IEnumerable<CellResult> Cells(int seed)
    {
        var up = 0.02 * (seed - 2);
        yield return InventedStudy.Cell("a", seed, ("near", "none", 0.42 + up), ("far", "none", 0.32 + up), ("new", "none", 0.22 + up));
        yield return InventedStudy.Cell("b", seed, ("near", "none", 0.30 - 4 * up), ("far", "none", 0.37 + up), ("new", "none", 0.22 + up));
        yield return InventedStudy.Cell("p", seed,
            ("near", "caption", 0.52 + up), ("far", "caption", 0.42 + up), ("new", "caption", 0.32 + up),
            ("near", "half + half", 0.55 + up), ("near", "none", 0.3), ("near", "classification", 0.62 + up),
                ("far", "classification", 0.37 + up));
    }
}
