using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;

namespace FineTune;

/// <summary>Reads an exported classifier back as another program would, through ML.NET's own ONNX transform.</summary>
internal static class OnnxCheck
{
    /// <summary>In how many images the ONNX file gives the label that the classifier gives.</summary>
    /// <returns>Equal labels, and images.</returns>
    public static (int Equal, int Images) Run(
        MLContext mlContext, ZeroShotClassificationTransformer classifier, string path, IDataView images)
    {
        var pipeline = mlContext.Transforms.ClipPixels(classifier.Model)
            .Append(mlContext.Transforms.ApplyOnnxModel(["Score", "PredictedLabel"], ["Pixels"], path));
        var scored = pipeline.Fit(images).Transform(images);
        var onnx = scored.GetColumn<ReadOnlyMemory<char>[]>("PredictedLabel").Select(name => name[0].ToString());
        var own = classifier.Transform(images).GetColumn<uint>("PredictedLabel").Select(key => classifier.ClassNames[(int)key - 1]);
        bool[] equal = [.. onnx.Zip(own, (a, b) => a == b)];
        return (equal.Count(e => e), equal.Length);
    }
}
