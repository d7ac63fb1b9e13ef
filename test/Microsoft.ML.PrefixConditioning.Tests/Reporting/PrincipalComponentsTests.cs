namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The plane that shows most of a cloud's variance.</summary>
[TestClass]
public sealed class PrincipalComponentsTests
{
    [TestMethod]
    public void Of_PointsInAKnownPlane_FindsItsAxesAndShares()
    {
        // 4 units along the third axis and 3 along the first: squares 16 and 9 of 25.
        float[][] vectors = [[5, 1, 6], [5, 1, -2], [8, 1, 2], [2, 1, 2]];

        var map = PrincipalComponents.Of(vectors);

        Assert.AreEqual(16 / 25.0, map.Shares.X, 1e-9);
        Assert.AreEqual(9 / 25.0, map.Shares.Y, 1e-9);
        (double X, double Y)[] expected = [(4, 0), (-4, 0), (0, 3), (0, -3)];
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.AreEqual(expected[i].X, map.Points[i].X, 1e-9, "An axis points to its largest part.");
            Assert.AreEqual(expected[i].Y, map.Points[i].Y, 1e-9);
        }
    }

    [TestMethod]
    public void Of_EqualVectors_GivesOnePoint()
    {
        var map = PrincipalComponents.Of([[1, 2], [1, 2], [1, 2]]);

        Assert.IsTrue(map.Points.All(point => point == (0, 0)));
    }
}
