using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PerClassSampleTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void TakeRowsPerClass_EveryClass_HasThatManyRowsInTheInputsOrder()
    {
        var sample = _mlContext.Data.TakeRowsPerClass(View(), 3, seed: 1);
        var (numbers, labels) = (sample.GetColumn<int>("Number").ToArray(), sample.GetColumn<string>("Label").ToArray());
        Assert.HasCount(9, numbers);
        Assert.AreEqual(9, sample.GetRowCount());
        foreach (var name in new[] { "a", "b", "c" }) Assert.AreEqual(3, labels.Count(l => l == name), name);
        CollectionAssert.AreEqual(numbers.Order().Distinct().ToArray(), numbers);
        for (var i = 0; i < 9; i++) Assert.AreEqual(LabelOf(numbers[i]), labels[i]);
        CollectionAssert.AreEqual(numbers, sample.GetColumn<int>("Number").ToArray(), "Read again.");
    }

    [TestMethod]
    public void TakeRowsPerClass_Seeds_DecideTheChoice()
    {
        int[] Numbers(int? seed, MLContext? context = null) =>
            [.. (context ?? _mlContext).Data.TakeRowsPerClass(View(), 3, seed: seed).GetColumn<int>("Number")];
        CollectionAssert.AreEqual(Numbers(1), Numbers(1));
        CollectionAssert.AreNotEqual(Numbers(1), Numbers(2));
        CollectionAssert.AreEqual(Numbers(null, new MLContext(4)), Numbers(null, new MLContext(4)));
    }

    [TestMethod]
    public void TakeRowsPerClass_KeyLabel_IsTheSameAsText()
    {
        var keyed = _mlContext.Transforms.Conversion.MapValueToKey("Label").Fit(View()).Transform(View());
        CollectionAssert.AreEqual(_mlContext.Data.TakeRowsPerClass(View(), 2, seed: 1).GetColumn<int>("Number").ToArray(),
            _mlContext.Data.TakeRowsPerClass(keyed, 2, seed: 1).GetColumn<int>("Number").ToArray());
    }

    [TestMethod]
    public void TakeRowsPerClass_LabelsInTwoNormalForms_AreOneClass()
    {
        string[] labels = ["caf\u00e9", "cafe\u0301", "tea", "tea"];
        var rows = labels.Select((label, i) => new Row { Number = i, Label = label });
        var sample = _mlContext.Data.TakeRowsPerClass(_mlContext.Data.LoadFromEnumerable(rows), 2);
        DataTestRows.Equal([0, 1, 2, 3], sample.GetColumn<int>("Number").ToArray());
    }

    [TestMethod]
    public void TakeRowsPerClass_ShuffledOrSplit_HasTheSameRows()
    {
        var sample = _mlContext.Data.TakeRowsPerClass(View(), 2, seed: 1);
        Assert.IsFalse(sample.CanShuffle);
        CollectionAssert.AreEquivalent(sample.GetColumn<int>("Number").ToArray(),
            _mlContext.Data.ShuffleRows(sample, seed: 3).GetColumn<int>("Number").ToArray());
        CollectionAssert.AreEqual(sample.GetColumn<int>("Number").ToArray(),
            _mlContext.Data.Cache(sample).GetColumn<int>("Number").ToArray());
    }

    [TestMethod]
    public void TakeRowsPerClass_ClassWithFewerRows_NamesIt()
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => _mlContext.Data.TakeRowsPerClass(View(), 10));
        Assert.AreEqual("10 row(s) per class were requested, but 1 of 3 class(es) have fewer: 'c (9)'. Request at most 9, or remove " +
            "these classes.", error.Message);
    }

    [TestMethod]
    public void TakeRowsPerClass_NoLabels_SaysWhichColumn()
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => _mlContext.Data.TakeRowsPerClass(_mlContext.Data.LoadFromEnumerable([new Row { Label = " " }]), 1));
        Assert.AreEqual("No row has a label in column 'Label'; pass labeled rows.", error.Message);
    }

    [TestMethod]
    public void TakeRowsPerClass_WrongArguments_AreRefused()
    {
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.TakeRowsPerClass(View(), 0));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.TakeRowsPerClass(View(), 1, "Labell"));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.TakeRowsPerClass(View(), 1, "Number"));
    }

    private static string LabelOf(int number) => number == 13 ? "" : number % 4 == 0 ? "a" : number % 4 == 1 && number != 1 ? "c" : "b";

    private IDataView View() =>
        _mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, 44).Select(i => new Row { Number = i, Label = LabelOf(i) }));

    private sealed class Row
    {
        public int Number { get; set; }
        public string Label { get; set; } = "";
    }
}
