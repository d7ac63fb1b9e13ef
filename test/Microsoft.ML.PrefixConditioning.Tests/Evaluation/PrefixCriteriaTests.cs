namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The label-free criteria against values that were worked out by hand.</summary>
[TestClass]
public sealed class PrefixCriteriaTests
{
    private const double Tolerance = 1e-6;   // logits are single precision

    private static readonly float[][] Mixed = [[1.5f, -0.2f, 0.3f], [0.1f, 2, -1], [0.4f, 0.3f, 0.2f], [-3, 0, 1]];

    [TestMethod]
    public void MutualInformation_TwoDecidedRowsOfDifferentClasses_IsByHand()
    {
        var logit = (float)Math.Log(3);   // probabilities 3/4 and 1/4
        var expected = Math.Log(2) + (0.75 * Math.Log(0.75)) + (0.25 * Math.Log(0.25));
        Assert.AreEqual(expected, MutualInformation([[logit, 0], [0, logit]]), Tolerance);
        Assert.AreEqual(0.130812, expected, Tolerance);
    }

    [TestMethod]
    public void MutualInformation_AllRowsAlike_IsZero() =>
        Assert.AreEqual(0, MutualInformation([[2, 0, -1], [2, 0, -1], [2, 0, -1]]), Tolerance);

    [TestMethod]
    public void MutualInformation_CertainRowsOfEveryClass_IsTheLogarithmOfTheirNumber() =>
        Assert.AreEqual(Math.Log(3), MutualInformation([[1e4f, 0, 0], [0, 1e4f, 0], [0, 0, 1e4f]]), Tolerance);

    [TestMethod]
    public void CorrectedConfidence_ClassThatAllRowsPrefer_IsTakenOut()
    {
        // Mean logits 3 and 0, so that -1, 0 and 1, 0 are left.
        Assert.AreEqual(1 / (1 + Math.Exp(-1)), CorrectedConfidence([[2, 0], [4, 0]], []), Tolerance);
        // All the same for every row: nothing is left.
        Assert.AreEqual(0.25, CorrectedConfidence([[9, 1, 2, 3], [9, 1, 2, 3]], []), Tolerance);
    }

    [TestMethod]
    public void CorrectedConfidence_TrainingMean_IsAveragedWithThatOfTheRows() =>
        // Priors (3 + 1) / 2 and 0, so that 0, 0 and 2, 0 are left.
        Assert.AreEqual((0.5 + (1 / (1 + Math.Exp(-2)))) / 2, CorrectedConfidence([[2, 0], [4, 0]], [1, 0]), Tolerance);

    [TestMethod]
    public void Labels_Agreement_CountsEqualOnes()
    {
        Assert.AreEqual("0 1 0 2", string.Join(' ', PrefixCriteria.Labels(4, 3, Rows(Mixed))));
        Assert.AreEqual(0, PrefixCriteria.Labels(1, 3, Rows([[5, 5, 5]]))[0], "The first of equals.");
        Assert.AreEqual(0.75, PrefixCriteria.Agreement([0, 1, 0, 2], [0, 1, 1, 2]));
        Assert.AreEqual(1, PrefixCriteria.Agreement([0, 1], [0, 1]));
    }

    [TestMethod]
    public void Criteria_OtherOrderOfRowsOrClasses_GiveTheSame()
    {
        int[] rowOrder = [2, 0, 3, 1], classOrder = [1, 2, 0];
        var rows = rowOrder.Select(r => Mixed[r]).ToArray();
        var classes = Mixed.Select(row => classOrder.Select(c => row[c]).ToArray()).ToArray();
        double[] training = [0.5, -1, 0.25];
        foreach (var other in new[] { rows, classes })
        {
            Assert.AreEqual(MutualInformation(Mixed), MutualInformation(other), Tolerance);
            Assert.AreEqual(CorrectedConfidence(Mixed, []), CorrectedConfidence(other, []), Tolerance);
        }
        Assert.AreEqual(CorrectedConfidence(Mixed, training),
            CorrectedConfidence(classes, [.. classOrder.Select(c => training[c])]), Tolerance);
    }

    private static Action<int, Span<float>> Rows(float[][] logits) => (row, target) => logits[row].CopyTo(target);

    private static double MutualInformation(float[][] logits) =>
        PrefixCriteria.MutualInformation(logits.Length, logits[0].Length, Rows(logits));

    private static double CorrectedConfidence(float[][] logits, double[] trainingMean) =>
        PrefixCriteria.CorrectedConfidence(logits.Length, logits[0].Length, Rows(logits), trainingMean);
}
