using System.Globalization;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>What zero-shot classification adds, and that ML.NET's evaluation takes it.</summary>
[TestClass]
public sealed class ZeroShotTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void Transform_Images_AddsProbabilitiesAndTheMostProbableClass()
    {
        var scored = Score(Tiny.Data.Test(_mlContext));

        var scores = scored.GetColumn<float[]>("Score").ToArray();
        var keys = scored.GetColumn<uint>("PredictedLabel").ToArray();
        Assert.HasCount(24, scores);
        for (var i = 0; i < scores.Length; i++)
        {
            Assert.AreEqual(1, scores[i].Sum(), 1e-5, $"Row {i}.");
            Assert.IsTrue(scores[i].All(s => s is >= 0 and <= 1), $"Row {i}.");
            Assert.AreEqual((uint)scores[i].AsSpan().IndexOf(scores[i].Max()) + 1, keys[i], $"Row {i}.");
        }
    }

    [TestMethod]
    public void Transform_Images_ScoresAreTheSoftmaxOfScaledCosines()
    {
        var options = new ZeroShotClassificationOptions
        {
            ClassNames = ["red", "blue"], LogitScale = 12, PromptTemplates = PromptTemplates.NameOnly,
        };
        var test = Tiny.Data.Test(_mlContext);
        var scored = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, options).Fit(test).Transform(test);

        var image = Tiny.Model.Transform(test).GetColumn<float[]>("ImageEmbedding").First();
        var logits = Tiny.Model.EncodeTexts(["red", "blue"]).Select(t => 12 * t.Zip(image, (a, b) => (double)a * b).Sum()).ToArray();
        var expected = 1 / (1 + Math.Exp(logits[1] - logits[0]));
        Assert.AreEqual(expected, scored.GetColumn<float[]>("Score").First()[0], 1e-5);
    }

    [TestMethod]
    public void Transform_Schema_HasClassNamesAndTheAnnotationsOfMLNetsTrainers()
    {
        var scored = Score(Tiny.Data.Test(_mlContext));
        VBuffer<ReadOnlyMemory<char>> names = default;
        scored.Schema["Score"].GetSlotNames(ref names);
        Assert.AreSequenceEqual(TinyData.ClassNames, names.DenseValues().Select(n => n.ToString()));
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, 3), scored.Schema["Score"].Type);
        scored.Schema["PredictedLabel"].GetKeyValues(ref names);
        Assert.AreSequenceEqual(TinyData.ClassNames, names.DenseValues().Select(n => n.ToString()));
        Assert.AreEqual(new KeyDataViewType(typeof(uint), 3), scored.Schema["PredictedLabel"].Type);
        scored.Schema["Label"].GetKeyValues(ref names);
        Assert.AreSequenceEqual(TinyData.ClassNames, names.DenseValues().Select(n => n.ToString()));

        var trained = ScoreByLbfgs();
        foreach (var column in new[] { "Score", "PredictedLabel" })
            Assert.AreSequenceEqual(Describe(trained.Schema[column]), Describe(scored.Schema[column]), column);
    }

    [TestMethod]
    public void Evaluate_TextLabel_WorksDirectly()
    {
        var scored = Score(Tiny.Data.Test(_mlContext));
        var metrics = _mlContext.MulticlassClassification.Evaluate(scored, labelColumnName: "Label");

        var predicted = scored.GetColumn<uint>("PredictedLabel").ToArray();
        var truth = Tiny.Data.Images.Select(i => (uint)(TinyData.ClassNames.ToList().IndexOf(i.ClassName) + 1)).ToArray();
        var right = predicted.Zip(truth).Count(p => p.First == p.Second);
        Assert.AreEqual(right / 24.0, metrics.MicroAccuracy, 1e-12);
        Assert.AreEqual(3, metrics.ConfusionMatrix.NumberOfClasses);
        for (var t = 0; t < 3; t++)
            for (var p = 0; p < 3; p++)
                Assert.AreEqual(predicted.Zip(truth).Count(r => r.Second == t + 1 && r.First == p + 1),
                    metrics.ConfusionMatrix.Counts[t][p]);
        Assert.Contains("red", metrics.ConfusionMatrix.GetFormattedConfusionTable());
    }

    [TestMethod]
    public void Evaluate_KeyLabelOfOtherOrder_IsRemappedByName()
    {
        var test = Tiny.Data.Test(_mlContext);
        var keyed = _mlContext.Transforms.Conversion.MapValueToKey("Label").Fit(test).Transform(test);   // blue, green, red
        var plain = _mlContext.MulticlassClassification.Evaluate(Score(test));
        var remapped = _mlContext.MulticlassClassification.Evaluate(Score(keyed));
        Assert.AreEqual(plain.MicroAccuracy, remapped.MicroAccuracy);
        Assert.AreEqual(plain.LogLoss, remapped.LogLoss);
        Assert.AreSequenceEqual(Score(test).GetColumn<uint>("Label"), Score(keyed).GetColumn<uint>("Label"));
    }

    [TestMethod]
    public void Evaluate_LabelNotAmongTheClasses_IsMissingAndDoesNotCount()
    {
        var red = Tiny.Data.Images.First(i => i.ClassName == "red").Path;
        var rows = _mlContext.Data.LoadFromEnumerable(new[]
        {
            new PathRow { Image = red, Label = "red" }, new PathRow { Image = red, Label = "purple" },
            new PathRow { Image = red, Label = "" }, new PathRow { Image = red, Label = "green" },
        });
        var scored = Score(rows);
        Assert.AreEqual("1 0 0 2", string.Join(' ', scored.GetColumn<uint>("Label")));
        var metrics = _mlContext.MulticlassClassification.Evaluate(scored);
        Assert.AreEqual(0.5, metrics.MicroAccuracy);
        Assert.AreEqual(2, metrics.ConfusionMatrix.Counts.Sum(r => r.Sum()));
    }

    [TestMethod]
    public void Evaluate_UnreadableImages_AreLeftOut()
    {
        var rows = _mlContext.Data.LoadFromEnumerable(Tiny.Data.Images.Take(9).Select((image, i) =>
            new PathRow { Image = i == 4 ? "gone.png" : image.Path, Label = image.ClassName }));
        var scored = _mlContext.Transforms.ZeroShotClassification(Tiny.SkippingModel, TinyData.ClassNames).Fit(rows).Transform(rows);
        Assert.IsTrue(scored.GetColumn<float[]>("Score").ElementAt(4).All(float.IsNaN));
        Assert.AreEqual(0u, scored.GetColumn<uint>("PredictedLabel").ElementAt(4));
        Assert.AreEqual(8, _mlContext.MulticlassClassification.Evaluate(scored).ConfusionMatrix.Counts.Sum(r => r.Sum()));
    }

    [TestMethod]
    public void Transform_NoLabelColumn_AddsNone()
    {
        var rows = _mlContext.Data.LoadFromEnumerable([new CaptionedRow { Image = Tiny.Data.Image(0), Text = "" }]);
        Assert.AreEqual("Image Text Score PredictedLabel", string.Join(' ', Score(rows).Schema.Select(c => c.Name)));
    }

    [TestMethod]
    public void Transform_NumericLabel_IsLeftAsItIs()
    {
        var rows = _mlContext.Data.LoadFromEnumerable([new { Image = Tiny.Data.Image(0), Label = 3f }]);
        Assert.AreEqual(NumberDataViewType.Single, Score(rows).Schema["Label"].Type);
    }

    [TestMethod]
    public void Transform_EmbeddingsAsInput_EqualImagesAsInput()
    {
        var options = new ZeroShotClassificationOptions { ClassNames = TinyData.ClassNames, ImageColumnName = "ImageEmbedding" };
        var embedded = Embedded();
        var scored = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, options).Fit(embedded).Transform(embedded);
        foreach (var (fromImage, fromEmbedding) in Score(Tiny.Data.Test(_mlContext)).GetColumn<float[]>("Score")
            .Zip(scored.GetColumn<float[]>("Score")))
            CollectionAssert.AreEqual(fromImage, fromEmbedding);
    }

    [TestMethod]
    public void Fit_EmbeddingsOfAnotherSize_SaysWhichSizeFits()
    {
        var options = new ZeroShotClassificationOptions { ClassNames = TinyData.ClassNames, ImageColumnName = "E" };
        var rows = _mlContext.Data.LoadFromEnumerable([new SevenNumbers()]);
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => _mlContext.Transforms.ZeroShotClassification(Tiny.Model, options).Fit(rows));
        Assert.Contains("this model's embeddings have 24 numbers. Set ImageColumnName to a column with embeddings from this model, or " +
            "with images.",
            error.Message);
    }

    [TestMethod]
    public void Fit_NoImageColumn_SaysWhichSettingNamesIt()
    {
        var rows = _mlContext.Data.LoadFromEnumerable([new { Imagee = "a.png" }]);
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Score(rows));
        Assert.Contains(
            "There is no column 'Image'; the input has 'Imagee'. Did you mean 'Imagee'? Set ImageColumnName to the right column.",
            error.Message);
    }

    [TestMethod]
    public void ZeroShotClassification_FaultyClassNames_AreAllReported()
    {
        var options = new ZeroShotClassificationOptions { ClassNames = ["red", " "], ClassTexts = ["red"] };
        var error = Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Transforms.ZeroShotClassification(Tiny.Model, options));
        Assert.Contains("ZeroShotClassificationOptions has 2 fault(s):", error.Message);
        Assert.Contains("ClassNames: the name at index 1 is empty.", error.Message);
        Assert.Contains("ClassTexts has 1 text(s) for 2 class names; give one per class, or null.", error.Message);
        error = Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Transforms.ZeroShotClassification(Tiny.Model, ["red"]));
        Assert.Contains("ClassNames has 1 name(s); at least two classes are needed to choose from.", error.Message);
    }

    [TestMethod]
    public void ZeroShotClassification_UnknownPrefix_NamesTheKnownOnes()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames, PrefixSelection.For("sketch")));
        Assert.Contains("'sketch'. It knows 'caption', 'classification': select one of these, or PrefixSelection.None.", error.Message);
    }

    [TestMethod]
    public void ZeroShotClassification_NoModel_IsAnArgumentError() =>
        Assert.ThrowsExactly<ArgumentNullException>(() => _mlContext.Transforms.ZeroShotClassification(null!, TinyData.ClassNames));

    [TestMethod]
    public void Fit_Prefixes_GiveDifferentScoresAndCaptionIsTheDefault()
    {
        var test = Tiny.Data.Test(_mlContext);
        float[] With(PrefixSelection? prefix) =>
            _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames, prefix).Fit(test).Transform(test)
                .GetColumn<float[]>("Score").First();
        var caption = With(PrefixSelection.For("caption"));
        CollectionAssert.AreEqual(caption, With(null));
        var others = new[]
        {
            With(PrefixSelection.For("classification")), With(PrefixSelection.None),
            With(PrefixSelection.Blend(("caption", 3), ("classification", 1))),
        };
        foreach (var other in others) CollectionAssert.AreNotEqual(caption, other);
        CollectionAssert.AreNotEqual(others[0], others[1]);
        Assert.AreEqual("caption", _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(test)
            .Prefix.ToString());
    }

    [TestMethod]
    public void Fit_LogitScale_IsTheModelsOwnOrTheGivenOne()
    {
        var test = Tiny.Data.Test(_mlContext);
        var own = _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(test);
        var given = _mlContext.Transforms.ZeroShotClassification(
            Tiny.Model, new ZeroShotClassificationOptions { ClassNames = TinyData.ClassNames, LogitScale = 100 }).Fit(test);
        Assert.AreEqual(Tiny.Model.LogitScale, own.LogitScale, 1e-4);
        Assert.AreEqual(100, given.LogitScale);
        Assert.AreSequenceEqual(own.Transform(test).GetColumn<uint>("PredictedLabel"),
            given.Transform(test).GetColumn<uint>("PredictedLabel"));
        Assert.IsGreaterThan(own.Transform(test).GetColumn<float[]>("Score").First().Max(),
            given.Transform(test).GetColumn<float[]>("Score").First().Max());
    }

    [TestMethod]
    public void Fit_PromptTemplates_ChangeTheClassEmbeddings()
    {
        var test = Tiny.Data.Test(_mlContext);
        float[] With(PromptTemplates? templates) => _mlContext.Transforms.ZeroShotClassification(
            Tiny.Model, new ZeroShotClassificationOptions { ClassNames = TinyData.ClassNames, PromptTemplates = templates })
            .Fit(test).Transform(test).GetColumn<float[]>("Score").First();
        CollectionAssert.AreEqual(With(Tiny.Options.PromptTemplates), With(null), "Null takes the templates of training.");
        CollectionAssert.AreNotEqual(With(PromptTemplates.NameOnly), With(null));
    }

    [TestMethod]
    public void Lbfgs_OnImageEmbeddings_LearnsTheClasses()
    {
        var metrics = _mlContext.MulticlassClassification.Evaluate(ScoreByLbfgs());
        Assert.IsGreaterThan(0.8, metrics.MicroAccuracy);
    }

    private IDataView Score(IDataView rows) =>
        _mlContext.Transforms.ZeroShotClassification(Tiny.Model, TinyData.ClassNames).Fit(rows).Transform(rows);

    private IDataView Embedded() => Tiny.Model.Transform(Tiny.Data.Test(_mlContext));

    private IDataView ScoreByLbfgs()
    {
        var embedded = Embedded();
        return _mlContext.Transforms.Conversion.MapValueToKey("Label")
            .Append(_mlContext.MulticlassClassification.Trainers.LbfgsMaximumEntropy(
                featureColumnName: "ImageEmbedding", l1Regularization: 0, l2Regularization: 0.01f))
            .Fit(embedded).Transform(embedded);
    }

    /// <summary>Names, types and values of the score annotations.</summary>
    private static IEnumerable<string> Describe(DataViewSchema.Column column)
    {
        foreach (var annotation in column.Annotations.Schema.OrderBy(a => a.Name, StringComparer.Ordinal))
        {
            var value = "";
            if (annotation.Type is TextDataViewType)
            {
                ReadOnlyMemory<char> text = default;
                column.Annotations.GetValue(annotation.Name, ref text);
                value = text.ToString();
            }
            else if (annotation.Type is KeyDataViewType)
            {
                uint key = 0;
                column.Annotations.GetValue(annotation.Name, ref key);
                value = key.ToString(CultureInfo.InvariantCulture);
            }
            yield return $"{annotation.Name}: {annotation.Type} {value}";
        }
    }
}
