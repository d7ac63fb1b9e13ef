namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ZeroShotClassificationOptionsTests
{
    private static readonly ZeroShotClassificationOptions Valid = new() { ClassNames = ["cat", "dog"] };

    private static readonly Dictionary<string, (ZeroShotClassificationOptions Options, string Fault)> Faulty = new()
    {
        ["no classes"] = (new(), "ClassNames has 0 name(s); at least two classes are needed to choose from."),
        ["null classes"] = (new() { ClassNames = null! }, "ClassNames has 0 name(s); at least two classes are needed to choose from."),
        ["one class"] = (new() { ClassNames = ["cat"] }, "ClassNames has 1 name(s); at least two classes are needed to choose from."),
        ["empty name"] = (new() { ClassNames = ["cat", " "] }, "ClassNames: the name at index 1 is empty."),
        ["null name"] = (new() { ClassNames = ["cat", "dog", null!] }, "ClassNames: the name at index 2 is empty."),
        ["name twice"] = (new() { ClassNames = ["cat", "dog", "cat"] }, "ClassNames: 'cat' occurs 2 times; every class needs its own name. Take Distinct() of the list."),
        ["scale 0"] = (Valid with { LogitScale = 0 }, "LogitScale is 0; it must be greater than 0, or null for the model's own."),
        ["scale NaN"] = (Valid with { LogitScale = double.NaN }, "LogitScale is NaN; it must be greater than 0, or null for the model's own."),
        ["scale infinite"] = (Valid with { LogitScale = double.PositiveInfinity }, "LogitScale is Infinity; it must be greater than 0, or null for the model's own."),
        ["scale beyond single precision"] = (Valid with { LogitScale = 1e39 }, "LogitScale is 1E+39; it must be greater than 0, or null for the model's own."),
        ["image column"] = (Valid with { ImageColumnName = "" }, "ImageColumnName is empty; give the name of a column, or null for the model's."),
        ["label column"] = (Valid with { LabelColumnName = "" }, "LabelColumnName is empty; give the name of a column."),
        ["score column"] = (Valid with { ScoreColumnName = " " }, "ScoreColumnName is empty; give the name of a column."),
        ["prediction column"] = (Valid with { PredictedLabelColumnName = null! }, "PredictedLabelColumnName is empty; give the name of a column."),
        ["columns equal"] = (Valid with { ScoreColumnName = "Label" },
            "LabelColumnName, ScoreColumnName and PredictedLabelColumnName must differ; found 'Label', 'Label' and 'PredictedLabel'."),
    };

    public static IEnumerable<string> FaultyCases => Faulty.Keys;

    [TestMethod]
    public void Validate_TwoClasses_NoFault() => Valid.Validate();

    [TestMethod]
    [DynamicData(nameof(FaultyCases))]
    public void Validate_OneFault_NamesItAlone(string fault)
    {
        var error = Assert.ThrowsExactly<ArgumentException>(Faulty[fault].Options.Validate);
        Assert.AreEqual($"ZeroShotClassificationOptions has 1 fault(s):{Environment.NewLine}- {Faulty[fault].Fault}", error.Message);
    }

    [TestMethod]
    public void Validate_SeveralFaults_ReportsAllAtOnce()
    {
        var options = new ZeroShotClassificationOptions { ClassNames = ["", "dog", "dog"], LogitScale = -1 };
        var message = Assert.ThrowsExactly<ArgumentException>(options.Validate).Message;
        StringAssert.StartsWith(message, "ZeroShotClassificationOptions has 3 fault(s):");
        foreach (var part in new[] { "the name at index 0 is empty", "'dog' occurs 2 times", "LogitScale is -1" }) StringAssert.Contains(message, part);
    }
}
