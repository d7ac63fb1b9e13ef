using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>docs/evaluation.md shows code that is compiled and runs.</summary>
[TestClass]
public sealed class EvaluationDocumentTests
{
    [TestMethod]
    public void Document_EveryExample_IsTheCompiledOne()
    {
        var shown = Regex.Matches(File.ReadAllText(Repository.Path("docs/evaluation.md")), @"```csharp\n(.*?)```", RegexOptions.Singleline)
            .Select(m => Lines(m.Groups[1].Value)).ToArray();
        var code = File.ReadAllText(Repository.Path("test/Microsoft.ML.PrefixConditioning.Tests/Architecture/EvaluationExamples.cs"));
        var compiled = Regex.Matches(code, @"// <evaluation (\d+)>\n(.*?)// </evaluation>", RegexOptions.Singleline)
            .OrderBy(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture)).Select(m => Lines(m.Groups[2].Value)).ToArray();

        Assert.HasCount(6, compiled);
        Assert.HasCount(compiled.Length, shown);
        for (var i = 0; i < shown.Length; i++) Assert.AreEqual(compiled[i], shown[i], $"Example {i + 1}.");
    }

    [TestMethod]
    public void Examples_OnDrawings_Run()
    {
        using var data = new DrawnData(labeled: 32, captioned: 16);
        using var model = data.Fit(DrawnData.Options with { Epochs = 1 });
        var classNames = data.Labeled.GetColumn<string>("Label").Distinct().ToArray();

        Assert.HasCount(32, EvaluationExamples.ScoreByText(data.Context, model, data.Labeled).GetColumn<uint>("PredictedLabel").ToArray());
        Assert.Contains("0.5 caption + 0.5 classification", EvaluationExamples.Compare(data.Context, model, data.Labeled, classNames));
        Assert.Contains("16 images, 16 texts", EvaluationExamples.Retrieve(data.Context, model, data.Context.Data.LoadFromEnumerable(
            data.Rows.Where(r => r.DatasetType == "caption"))));
        Assert.IsNotEmpty(EvaluationExamples.Choose(data.Context, model, data.Labeled, classNames).Weights);
        // Eight classes, so that chance is an eighth.
        Assert.IsGreaterThan(0.3, EvaluationExamples.LinearProbe(data.Context, model, data.Labeled, data.Labeled));
        Assert.HasCount(3, EvaluationExamples.FewShots(data.Context, model, data.Labeled, data.Labeled));
    }

    private static string Lines(string code) => string.Join('\n', code.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0));
}
