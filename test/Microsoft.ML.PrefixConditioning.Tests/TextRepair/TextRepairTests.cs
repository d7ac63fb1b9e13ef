using System.Text;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Repair without the rest of cleaning, and what keeps its assembly apart; TextCleanerTests has the single repairs.</summary>
[TestClass]
public sealed class TextRepairTests
{
    [TestMethod]
    public void Repair_LineWithAngleBracket_LeavesReferencesFromThereOn() =>
        Assert.AreEqual("&\n<b>&amp;\n&amp;", TextRepair.Repair("&amp;\n<b>&amp;\n&amp;"));

    [TestMethod]
    public void Repair_SegmentOverTheLimit_IsRepairedInPieces()
    {
        var text = new string('x', 999_999) + "\U0001F600&amp;" + "é";

        Assert.AreEqual(new string('x', 999_999) + "\U0001F600&é", TextRepair.Repair(text));
    }

    [TestMethod]
    public void Compose_InvariantGlobalization_StillComposes()
    {
        // string.Normalize is the identity in an application with InvariantGlobalization, as this test's.
        Assert.AreEqual("e\u0301", "e\u0301".Normalize(NormalizationForm.FormC));
        Assert.AreEqual("é", CanonicalComposition.Compose("e\u0301"));
    }

    [TestMethod]
    public void Assembly_References_OnlyTheRuntime()
    {
        var others = typeof(TextRepair).Assembly.GetReferencedAssemblies().Select(a => a.Name!)
            .Where(name => !name.StartsWith("System.", StringComparison.Ordinal)).ToArray();

        Assert.IsEmpty(others, string.Join(", ", others));
    }

    [TestMethod]
    public void Public_Methods_RefuseNull()
    {
        Assert.ThrowsExactly<ArgumentNullException>(() => TextRepair.Repair(null!));
        Assert.ThrowsExactly<ArgumentNullException>(() => HtmlEntities.Decode(null!));
        Assert.ThrowsExactly<ArgumentNullException>(() => CanonicalComposition.Compose(null!));
        Assert.ThrowsExactly<ArgumentNullException>(() => LowerCase.Apply(null!));
    }
}
