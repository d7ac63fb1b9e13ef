namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ZeroShotClassificationOptionsTests
{
    private static readonly ZeroShotClassificationOptions Valid = new() { ClassNames = ["cat", "dog"] };

    private static readonly Dictionary<string, (ZeroShotClassificationOptions Options, string Fault)> Faulty = new()
    {
        ["no classes"] = (new(), "ClassNames has 0 name(s); at least two classes are needed to choose from."),
        ["null classes"] = (new() { ClassNames = null! }, "ClassNames is null; give a value."),
        ["one class"] = (new() { ClassNames = ["cat"] }, "ClassNames has 1 name(s); at least two classes are needed to choose from."),
        ["empty name"] = (new() { ClassNames = ["cat", " "] }, "ClassNames: the name at index 1 is empty."),
        ["null name"] = (new() { ClassNames = ["cat", "dog", null!] }, "ClassNames: the name at index 2 is empty."),
        ["too few texts"] = (Valid with { ClassTexts = ["a cat"] },
            "ClassTexts has 1 text(s) for 2 class names; give one per class, or null."),
        ["too many texts"] = (Valid with { ClassTexts = ["a", "b", "c"] },
            "ClassTexts has 3 text(s) for 2 class names; give one per class, or null."),
        ["empty text"] = (Valid with { ClassTexts = ["a cat", " "] }, "ClassTexts: the text at index 1 is empty."),
        ["null text"] = (Valid with { ClassTexts = [null!, "a dog"] }, "ClassTexts: the text at index 0 is empty."),
        ["scale 0"] = (Valid with { LogitScale = 0 }, "LogitScale is 0; it must be greater than 0, or null."),
        ["scale NaN"] = (Valid with { LogitScale = double.NaN }, "LogitScale is NaN; it must be greater than 0, or null."),
        ["scale infinite"] = (Valid with { LogitScale = double.PositiveInfinity },
            "LogitScale is Infinity; it must be greater than 0, or null."),
        ["scale beyond single precision"] = (Valid with { LogitScale = 1e39 }, "LogitScale is 1E+39; it must be greater than 0, or null."),
        ["image column"] = (Valid with { ImageColumnName = "" }, "ImageColumnName is empty; give a value, or null."),
        ["label column"] = (Valid with { LabelColumnName = "" }, "LabelColumnName is empty; give a name."),
        ["score column"] = (Valid with { ScoreColumnName = " " }, "ScoreColumnName is empty; give a name."),
        ["prediction column"] = (Valid with { PredictedLabelColumnName = null! }, "PredictedLabelColumnName is empty; give a name."),
        ["columns equal"] = (Valid with { ScoreColumnName = "Label" },
            "LabelColumnName, ScoreColumnName, PredictedLabelColumnName and PredictedClassColumnName must differ; found 'Label', " +
            "'Label', 'PredictedLabel'."),
    };

    public static IEnumerable<string> FaultyCases => Faulty.Keys;

    [TestMethod]
    public void Validate_TwoClasses_NoFault() => Valid.Validate();

    [TestMethod]
    public void Validate_NamesAndTextsThatRepeat_NoFault() =>
        new ZeroShotClassificationOptions { ClassNames = ["cat", "dog", "cat"], ClassTexts = ["a", "a", "a"] }.Validate();

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
        var options = new ZeroShotClassificationOptions { ClassNames = ["", "dog"], ClassTexts = ["a dog"], LogitScale = -1 };
        var message = Assert.ThrowsExactly<ArgumentException>(options.Validate).Message;
        StringAssert.StartsWith(message, "ZeroShotClassificationOptions has 3 fault(s):");
        foreach (var part in new[] { "the name at index 0 is empty", "ClassTexts has 1 text(s)", "LogitScale is -1" })
            StringAssert.Contains(message, part);
    }
}
