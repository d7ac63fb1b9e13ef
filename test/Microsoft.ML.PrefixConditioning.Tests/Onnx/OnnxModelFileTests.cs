using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Writing the file: weights outside, failures, older files.</summary>
[TestClass]
public sealed class OnnxModelFileTests
{
    [TestMethod]
    public void Write_AboveTheLimit_PutsTheWeightsInASecondFile()
    {
        using var model = OnnxModels.Create();
        using var run = new OnnxRun();
        var pixels = OnnxModels.Pixels(2);

        model.Lend(network => OnnxExport.ImageEncoder(model, network, null, PixelValues.Normalized).Write(run.Path, 1000));

        Assert.AreEqual("model.onnx, model.onnx.data", run.Files);
        Assert.IsGreaterThan(30_000, new FileInfo(run.Path + ".data").Length);
        var actual = run.Floats("ImageEmbedding", "NormalizedPixels", pixels, 2, 3, 16, 16);
        Assert.IsLessThan(1e-4f, OnnxModels.Difference(model.EncodeImages(pixels, 2, null), actual));
    }

    [TestMethod]
    public void Write_AboveTheLimitTwice_ReplacesBothFiles()
    {
        using OnnxRun run = new(), other = new();
        using var model = OnnxModels.Create();
        var pixels = OnnxModels.Pixels(1);
        model.Lend(network => OnnxExport.ImageEncoder(model, network, null, PixelValues.Rgb255).Write(run.Path, 1000));

        model.Lend(network => OnnxExport.ImageEncoder(model, network, null, PixelValues.Normalized).Write(run.Path, 1000));

        Assert.AreEqual("model.onnx, model.onnx.data", run.Files);
        var actual = run.Floats("ImageEmbedding", "NormalizedPixels", pixels, 1, 3, 16, 16);
        Assert.IsLessThan(1e-4f, OnnxModels.Difference(model.EncodeImages(pixels, 1, null), actual));
    }

    [TestMethod]
    public void Write_OuterWeights_BeginAtPages()
    {
        using var run = new OnnxRun();
        var graph = new OnnxGraph();
        var input = graph.Input("x", OnnxElement.Float, ["N", 300], "");
        var sum = graph.Add("Add", "/first", [input, graph.Floats("a", [300], () => full(300, 1.5f))]);
        graph.Add("Add", "/second", [sum, graph.Floats("b", [300], () => full(300, 2f))], output: "y");
        graph.Output("y", OnnxElement.Float, ["N", 300], "");

        new OnnxModelFile(graph, "sum", "", []).Write(run.Path, largestSingleFile: 0);

        var data = File.ReadAllBytes(run.Path + ".data");
        Assert.HasCount(4096 + 1200, data);
        Assert.AreEqual(1.5f, BitConverter.ToSingle(data, 0));
        Assert.AreEqual(2f, BitConverter.ToSingle(data, 4096));
        CollectionAssert.AreEqual(Enumerable.Repeat(3.5f, 300).ToArray(), run.Floats("y", "x", new float[300], 1, 300));
    }

    [TestMethod]
    [DataRow(long.MaxValue)]
    [DataRow(0L)]
    public void Write_FailsHalfWay_OlderFilesStay(long largestSingleFile)
    {
        using var run = new OnnxRun();
        File.WriteAllText(run.Path, "older");
        File.WriteAllText(run.Path + ".data", "older weights");
        var graph = new OnnxGraph();
        graph.Floats("good", [1000], () => zeros(1000));
        graph.Floats("bad", [1000], () => throw new IOException("No space left."));

        var error = Assert.ThrowsExactly<IOException>(() => new OnnxModelFile(graph, "g", "", []).Write(run.Path, largestSingleFile));

        Assert.Contains($"'{run.Path}' cannot be written: No space left.", error.Message);
        Assert.AreEqual("model.onnx, model.onnx.data", run.Files);
        Assert.AreEqual("older", File.ReadAllText(run.Path));
        Assert.AreEqual("older weights", File.ReadAllText(run.Path + ".data"));
    }

    [TestMethod]
    public void Write_ModelBecomesAFolderMeanwhile_OlderWeightsComeBack()
    {
        using var run = new OnnxRun();
        File.WriteAllText(run.Path + ".data", "older weights");
        var graph = new OnnxGraph();
        graph.Floats("a", [1000], () =>
        {
            Directory.CreateDirectory(run.Path);
            return zeros(1000);
        });

        Assert.ThrowsExactly<IOException>(() => new OnnxModelFile(graph, "g", "", []).Write(run.Path, largestSingleFile: 0));

        Assert.AreEqual("model.onnx.data", run.Files);
        Assert.AreEqual("older weights", File.ReadAllText(run.Path + ".data"));
    }

    [TestMethod]
    public void Write_FolderMissing_SaysWhichOne()
    {
        using var run = new OnnxRun();
        var path = Path.Combine(Path.GetDirectoryName(run.Path)!, "nowhere", "model.onnx");

        var error = Assert.ThrowsExactly<IOException>(() => Empty().Write(path));

        Assert.Contains($"'{path}' cannot be written", error.Message);
        Assert.Contains("has no 'nowhere'", error.Message);
        Assert.Contains("Create the folder first.", error.Message);
    }

    [TestMethod]
    public void Write_FolderIsAFile_SaysSo()
    {
        using var run = new OnnxRun();
        File.WriteAllText(run.Path, "a file");

        var error = Assert.ThrowsExactly<IOException>(() => Empty().Write(Path.Combine(run.Path, "model.onnx")));

        Assert.Contains("Create the folder first.", error.Message);
        Assert.AreEqual("a file", File.ReadAllText(run.Path));
    }

    [TestMethod]
    public void Write_PathIsAFolder_SaysSo()
    {
        using var run = new OnnxRun();

        var error = Assert.ThrowsExactly<IOException>(() => Empty().Write(Path.GetDirectoryName(run.Path)!));

        Assert.Contains("is a folder. Add a file name.", error.Message);
    }

    [TestMethod]
    public void Write_ReadOnlyFile_IsKept()
    {
        using var run = new OnnxRun();
        File.WriteAllText(run.Path, "older");
        File.SetAttributes(run.Path, FileAttributes.ReadOnly);

        var error = Assert.ThrowsExactly<IOException>(() => Empty().Write(run.Path));

        Assert.Contains("exists and is read-only", error.Message);
        Assert.AreEqual("older", File.ReadAllText(run.Path));
        Assert.AreEqual("model.onnx", run.Files);
        File.SetAttributes(run.Path, FileAttributes.Normal);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("  ")]
    public void Write_EmptyPath_IsAnError(string path) => Assert.ThrowsExactly<ArgumentException>(() => Empty().Write(path));

    [TestMethod]
    public void Write_NameWithSpacesAndLetters_LoadsItsWeights()
    {
        using var run = new OnnxRun();
        var path = Path.Combine(Path.GetDirectoryName(run.Path)!, "Modell für Äpfel.onnx");
        using var model = OnnxModels.Create();

        model.Lend(network => OnnxExport.ImageEncoder(model, network, null, PixelValues.Normalized).Write(path, largestSingleFile: 0));

        using var session = new Microsoft.ML.OnnxRuntime.InferenceSession(path);
        Assert.AreEqual("NormalizedPixels", session.InputMetadata.Keys.Single());
    }

    [TestMethod]
    public void Write_ConstantOfAnotherShape_IsAnErrorAndLeavesNothing()
    {
        using var run = new OnnxRun();
        var graph = new OnnxGraph();
        graph.Floats("a", [3], () => zeros(4));

        var error = Assert.ThrowsExactly<InvalidOperationException>(() => new OnnxModelFile(graph, "g", "", []).Write(run.Path));

        Assert.Contains("'a' is Float32 [4], expected Float32 [3]", error.Message);
        Assert.AreEqual("", run.Files);
    }

    [TestMethod]
    public void Add_PlaceAndOperatorTwice_IsAnError()
    {
        var graph = new OnnxGraph();
        graph.Add("Erf", "/a", ["x"]);

        var error = Assert.ThrowsExactly<InvalidOperationException>(() => graph.Add("Erf", "/a", ["y"]));

        Assert.Contains("two nodes '/a/Erf'", error.Message);
    }

    private static OnnxModelFile Empty() => new(new OnnxGraph(), "g", "", []);
}
