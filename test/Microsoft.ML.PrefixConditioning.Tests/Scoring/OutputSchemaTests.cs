using System.Reflection;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>What the estimators say of their output before training, against what their transformers give.</summary>
[TestClass]
public sealed class OutputSchemaTests : ScoringTests
{
    private const int NumberKeys = 2;   // of the inputs, the one whose labels are keys of numbers

    [TestMethod]
    public void GetOutputSchema_PrefixClip_AgreesWithTheTransformer()
    {
        var estimator = _mlContext.Transforms.PrefixClip();
        foreach (var input in Inputs())
            AssertAgree(estimator.GetOutputSchema(Shape(input.Schema)), _model.GetOutputSchema(input.Schema));
    }

    [TestMethod]
    public void GetOutputSchema_ZeroShot_AgreesWithTheTransformer()
    {
        var estimator = _mlContext.Transforms.ZeroShotClassification(_model, ["a", "b", "c"]);
        foreach (var input in Inputs().Where((_, i) => i != NumberKeys))
            AssertAgree(estimator.GetOutputSchema(Shape(input.Schema)), estimator.Fit(input).GetOutputSchema(input.Schema));
    }

    [TestMethod]
    public void GetOutputSchema_PrefixClipThenZeroShot_AgreesWithTheTransformers()
    {
        var zeroShot = _mlContext.Transforms.ZeroShotClassification(["a", "b", "c"]);
        var pipeline = _mlContext.Transforms.PrefixClip().Append(zeroShot);
        foreach (var input in Inputs().Where((_, i) => i != NumberKeys))
        {
            var embedded = _model.Transform(input);
            AssertAgree(pipeline.GetOutputSchema(Shape(input.Schema)), zeroShot.Fit(embedded).GetOutputSchema(embedded.Schema));
        }
    }

    [TestMethod]
    public void GetOutputSchema_KeysOfNumbersAsLabels_AreRefusedAsByTheTransformer()
    {
        var estimator = _mlContext.Transforms.ZeroShotClassification(_model, ["a", "b", "c"]);
        var input = Inputs()[NumberKeys];

        var early = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => estimator.GetOutputSchema(Shape(input.Schema)));
        var late = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => estimator.Fit(input).GetOutputSchema(input.Schema));

        const string Expected = " without text key values, so its keys cannot be matched to names. Create the keys from names, with ";
        Assert.StartsWith("Column 'Label' is Key<UInt32>" + Expected, early.Message);
        Assert.StartsWith("Column 'Label' is Key<UInt32, 0-0>" + Expected, late.Message);
    }

    [TestMethod]
    public void GetOutputSchema_Embeddings_FitZeroShotOnly()
    {
        var embedded = _model.Transform(Inputs()[0]);
        var options = new ZeroShotClassificationOptions { ClassNames = ["a", "b"], ImageColumnName = "ImageEmbedding" };
        var zeroShot = _mlContext.Transforms.ZeroShotClassification(_model, options);
        AssertAgree(zeroShot.GetOutputSchema(Shape(embedded.Schema)), zeroShot.Fit(embedded).GetOutputSchema(embedded.Schema));

        var clip = _mlContext.Transforms.PrefixClip(new PrefixClipOptions { Columns = new() { Image = "ImageEmbedding" } });
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => clip.GetOutputSchema(Shape(embedded.Schema)));
        Assert.Contains(
            "Column 'ImageEmbedding' is Vector<Single>; an image column is text (a path), a vector of bytes (an encoded file) " +
            "or an image. Set Columns.Image to the right column.", error.Message);
    }

    [TestMethod]
    public void GetOutputSchema_KeyOrNumberAsImage_IsRefused()
    {
        var keyed = _mlContext.Transforms.Conversion.MapValueToKey("Image").Fit(Inputs()[0]).Transform(Inputs()[0]);
        foreach (var name in new[] { "Image", "Number" })
        {
            var clip = _mlContext.Transforms.PrefixClip(new PrefixClipOptions { Columns = new() { Image = name } });
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => clip.GetOutputSchema(Shape(keyed.Schema)));
            Assert.Contains($"Column '{name}' is ", error.Message);
        }
    }

    [TestMethod]
    public void ClipPixels_EveryInput_PromisesWhatItGives()
    {
        foreach (var input in Inputs())
            foreach (var pixels in Enum.GetValues<PixelValues>())
            {
                var estimator = _mlContext.Transforms.ClipPixels(_model, pixels: pixels);
                AssertAgree(estimator.GetOutputSchema(Shape(input.Schema)), estimator.Fit(input).GetOutputSchema(input.Schema));
            }
    }

    [TestMethod]
    public void ClipPixels_NoImageColumn_SaysSo()
    {
        var estimator = _mlContext.Transforms.ClipPixels(_model, inputColumnName: "Imgae", pixels: PixelValues.Rgb255);

        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => estimator.GetOutputSchema(Shape(Inputs()[0].Schema)));

        Assert.Contains("There is no image column 'Imgae'", error.Message);
    }

    [TestMethod]
    public void GetDependencies_AddedColumns_NameWhatTheyAreComputedFrom()
    {
        var input = Inputs()[0];
        var mapper = _model.GetRowToRowMapper(input.Schema);
        string Of(params string[] columns) => string.Join(' ', mapper.GetDependencies(columns.Select(c => mapper.OutputSchema[c]))
            .Select(c => c.Name));
        Assert.AreEqual("Image", Of("ImageEmbedding"));
        Assert.AreEqual("Text", Of("TextEmbedding"));
        Assert.AreEqual("Text Label", Of("TextEmbedding", "Label"));
        var zeroShot = _mlContext.Transforms.ZeroShotClassification(_model, ["a", "b"]).Fit(input).GetRowToRowMapper(input.Schema);
        var label = zeroShot.OutputSchema["Label"];
        Assert.AreEqual("Label", string.Join(' ', zeroShot.GetDependencies([label]).Select(c => c.Name)));
        Assert.AreEqual("Image", string.Join(' ', zeroShot.GetDependencies([zeroShot.OutputSchema["Score"]]).Select(c => c.Name)));
    }

    private IDataView[] Inputs()
    {
        var rows = _mlContext.Data.LoadFromEnumerable([new TextRow()]);
        return
        [
            rows,
            _mlContext.Transforms.Conversion.MapValueToKey("Label").Fit(rows).Transform(rows),
            _mlContext.Transforms.Conversion.MapValueToKey("Label", "Number").Fit(rows).Transform(rows),
            _mlContext.Data.LoadFromEnumerable([new BytesRow()]),
            _mlContext.Data.LoadFromEnumerable([new PixelsRow()]),
        ];
    }

    internal static SchemaShape Shape(DataViewSchema schema) => (SchemaShape)typeof(SchemaShape)
        .GetMethod("Create", BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)!.Invoke(null, [schema])!;

    internal static void AssertAgree(SchemaShape expected, DataViewSchema actual) =>
        Assert.AreSequenceEqual(Describe(expected), Describe(Shape(actual)));

    private static IEnumerable<string> Describe(SchemaShape shape) => shape.OrderBy(c => c.Name, StringComparer.Ordinal).Select(c =>
        $"{c.Name} {c.Kind} {c.ItemType} {c.IsKey} [{string.Join("; ", c.Annotations is { } annotations ? Describe(annotations) : [])}]");

    private sealed class TextRow
    {
        public string Image { get; set; } = "i.png";

        public string Text { get; set; } = "";

        public string Label { get; set; } = "a";

        public float Number { get; set; }
    }

    private sealed class BytesRow
    {
        public byte[] Image { get; set; } = [1];

        public float Text { get; set; }
    }

    private sealed class PixelsRow
    {
        [ImageType(16, 16)]
        public MLImage? Image { get; set; }

        [VectorType(2)]
        public string[] Text { get; set; } = ["", ""];

        public float Label { get; set; }
    }
}
