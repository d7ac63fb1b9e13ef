using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Labels that match the class names, or do not, wherever they are read.</summary>
[TestClass]
public sealed class LabelMatchingTests : ScoringTests
{
    private static readonly string[] Names = ["red thing", "blue thing"];
    private readonly List<string> _warnings = [];

    [TestInitialize]
    public void Listen() => _mlContext.Log += (_, e) =>
    {
        if (e.Kind == ChannelMessageKind.Warning) _warnings.Add(e.RawMessage);
    };

    [TestMethod]
    public void Evaluate_LabelsSpelledOtherwise_AreCountedOnceWithAnExample()
    {
        var scored = Score(Rows("blue thing", "red_thing", "red thing", "", "Red_Thing", "  "));

        var metrics = _mlContext.MulticlassClassification.Evaluate(scored);

        Assert.AreEqual(2, metrics.ConfusionMatrix.Counts.Sum(c => c.Sum()));
        Assert.AreEqual("2 of 4 labels in column 'Label' match no class name; they become missing, and Evaluate leaves these rows out. " +
            "Row 2 has 'red_thing'. Did you mean 'red thing'? Correct the labels or the class names.", string.Join('\n', _warnings));
    }

    [TestMethod]
    public void Evaluate_NoLabelMatches_IsAnErrorWithTheNames()
    {
        var scored = Score(Rows("RED THING", "", "BLUE THING"));

        var error = Assert.ThrowsExactly<InvalidDataException>(() => _mlContext.MulticlassClassification.Evaluate(scored));

        Assert.AreEqual("None of the 2 labels in column 'Label' matches a class name. Row 1 has 'RED THING'. Did you mean 'red thing'? " +
            "The class names are 'red thing', 'blue thing'. Correct the labels or the class names, or set LabelColumnName to the column " +
            "with the true classes.", error.Message);
        Assert.IsEmpty(_warnings, "The error says it.");
    }

    [TestMethod]
    public void Cursor_ThousandPassesOfATrainer_WarnOnceForAView()
    {
        var rows = Rows("red thing", "purple", "blue thing");
        var scored = Score(rows);

        for (var pass = 0; pass < 1000; pass++) Assert.HasCount(3, scored.GetColumn<uint>("Label").ToArray());
        Assert.HasCount(1, _warnings);
        Assert.HasCount(1, _mlContext.Data.TakeRows(scored, 1).GetColumn<uint>("Label").ToArray());
        Assert.HasCount(2, _mlContext.Data.TakeRows(scored, 2).GetColumn<uint>("Label").ToArray());
        Assert.HasCount(2, _warnings, "Another count is news.");
        Assert.HasCount(3, Score(rows).GetColumn<uint>("Label").ToArray());
        Assert.HasCount(3, _warnings, "So is another view.");
    }

    [TestMethod]
    public void Evaluate_AllLabelsMatch_SaysNothing()
    {
        _mlContext.MulticlassClassification.Evaluate(Score(Rows("red thing", "blue thing", "")));

        Assert.IsEmpty(_warnings);
    }

    [TestMethod]
    public void Evaluate_FolderNamesFromAMac_MatchTheComposedNames()
    {
        string[] names = ["caf\u00e9", "th\u00e9"];
        var rows = Rows("cafe\u0301", "the\u0301", "caf\u00e9");
        var keyed = _mlContext.Transforms.Conversion.MapValueToKey("Label").Fit(rows).Transform(rows);

        foreach (var view in new[] { rows, keyed })
            Assert.AreEqual("1 2 1", string.Join(' ', Score(view, names).GetColumn<uint>("Label")));
        Assert.AreEqual(3, _mlContext.MulticlassClassification.ComparePrefixes(rows, _model, names).RowCount);
        Assert.IsEmpty(_warnings);
    }

    [TestMethod]
    public void Transform_ClassNumbersByMapValueToKey_AreRefused()
    {
        var rows = _mlContext.Data.LoadFromEnumerable([new NumberRow { Label = 1 }, new NumberRow { Label = 0 }]);
        var keyed = _mlContext.Transforms.Conversion.MapValueToKey("Label").Fit(rows).Transform(rows);
        const string Expected = "Column 'Label' is Key<UInt32, 0-1> without text key values, so its keys cannot be matched to names. " +
            "Create the keys from names, with MapValueToKey of a text column, or set LabelColumnName to another column.";

        Assert.StartsWith(Expected, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Score(keyed)).Message);
        Assert.StartsWith(Expected, Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => _mlContext.MulticlassClassification.ComparePrefixes(keyed, _model, Names)).Message);
    }

    [TestMethod]
    public void Transform_KeysWithoutValues_AreRefused()
    {
        var rows = _mlContext.Data.LoadFromEnumerable([new KeyRow { Label = 1 }]);

        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Score(rows));

        Assert.StartsWith("Column 'Label' is Key<UInt32, 0-1> without text key values", error.Message);
    }

    [TestMethod]
    public void Transform_KeysWithoutNamesUnderAnotherName_AreLeftAlone()
    {
        var rows = _mlContext.Data.LoadFromEnumerable([new KeyRow { Label = 1 }]);
        var options = new ZeroShotClassificationOptions { ClassNames = Names, LabelColumnName = "Truth" };

        var scored = _mlContext.Transforms.ZeroShotClassification(_model, options).Fit(rows).Transform(rows);

        Assert.AreEqual("Image Label Score PredictedLabel", string.Join(' ', scored.Schema.Select(c => c.Name)));
    }

    [TestMethod]
    public void Cursor_PassThatEndsEarly_WarnsOfWhatItRead()
    {
        var scored = Score(Rows("purple", "green", "red thing", "gold"));

        var labels = _mlContext.Data.TakeRows(scored, 2).GetColumn<uint>("Label").ToArray();

        Assert.AreEqual("0 0", string.Join(' ', labels));
        Assert.HasCount(1, _warnings, "The rows that were not read may have matched: no error.");
        Assert.StartsWith("2 of 2 labels in column 'Label' match no class name", _warnings[0]);
    }

    [TestMethod]
    public void Cursor_LabelReadTwiceInARow_CountsOnce()
    {
        var scored = Score(Rows("purple", "red thing"));
        var column = scored.Schema["Label"];
        using (var cursor = scored.GetRowCursor([column]))
        {
            ValueGetter<uint> first = cursor.GetGetter<uint>(column), second = cursor.GetGetter<uint>(column);
            uint label = 9;
            while (cursor.MoveNext())
            {
                first(ref label);
                first(ref label);
                second(ref label);
            }
        }

        Assert.HasCount(1, _warnings);
        Assert.StartsWith("1 of 2 labels", _warnings[0]);
    }

    [TestMethod]
    public void Cursor_LabelsNotRead_NeedNotMatch()
    {
        Assert.HasCount(2, Score(Rows("purple", "gold")).GetColumn<uint>("PredictedLabel").ToArray());
        Assert.IsEmpty(_warnings);
    }

    [TestMethod]
    public void PredictionEngine_LabelThatIsNoClass_IsMissingWithoutAnError()
    {
        var classifier = _mlContext.Transforms.ZeroShotClassification(_model, Names).Fit(Rows("red thing"));
        using var engine = _mlContext.Model.CreatePredictionEngine<LabeledRow, Prediction>(
            classifier, new PredictionEngineOptions { OwnsTransformer = false });

        Assert.AreEqual(0u, engine.Predict(new LabeledRow { Image = AllTypesRow.Files[0], Label = "purple" }).Label);
        Assert.AreEqual(2u, engine.Predict(new LabeledRow { Image = AllTypesRow.Files[0], Label = "blue thing" }).Label);
    }

    [TestMethod]
    public void ComparePrefixes_LabelWithALineBreak_IsQuotedOnOneLine()
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => _mlContext.MulticlassClassification.ComparePrefixes(Rows("red thing\n"), _model, Names));

        Assert.StartsWith("Row 1: the label 'red thing\\u000a' in column 'Label' is not among the class names 'red thing', 'blue thing'. " +
            "Did you mean 'red thing'?", error.Message);
    }

    private IDataView Score(IDataView rows, string[]? names = null) =>
        _mlContext.Transforms.ZeroShotClassification(_model, names ?? Names).Fit(rows).Transform(rows);

    private IDataView Rows(params string[] labels) => _mlContext.Data.LoadFromEnumerable(
        labels.Select((label, i) => new LabeledRow { Image = AllTypesRow.Files[i % AllTypesRow.Files.Length], Label = label }));

    private sealed class NumberRow
    {
        public byte[] Image { get; set; } = AllTypesRow.Files[0];

        public int Label { get; set; }
    }

    private sealed class KeyRow
    {
        public byte[] Image { get; set; } = AllTypesRow.Files[0];

        [KeyType(2)]
        public uint Label { get; set; }
    }

    private sealed class Prediction
    {
        public uint Label { get; set; }
    }
}
