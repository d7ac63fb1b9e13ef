using System.Reflection;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>samples/FineTune on the tests' own small model and pictures, by its command line.</summary>
[TestClass]
public sealed class FineTuneSampleTests
{
    [TestMethod]
    public void Main_PublishedFolderAndData_WritesEveryFile()
    {
        var published = Path.Combine(Tiny.Data.Folder, "published");
        var output = Path.Combine(Tiny.Data.Folder, "fine-tuned");
        Tiny.Model.SaveSafetensors(published);

        using var printed = new StringWriter();
        var console = Console.Out;
        Console.SetOut(printed);
        var code = Run(
            "--clip", published, "--labeled", Tiny.Data.Labeled, "--captions", Tiny.Data.Captions, "--images", Tiny.Data.Captioned,
            "--test", Tiny.Data.Labeled, "--out", output, "--epochs", "1", "--batch-size", "8", "--train", "prefixes");
        Console.SetOut(console);
        Assert.AreEqual(0, code);

        foreach (var file in new[] { "clip.zip", "clip/open_clip_model.safetensors", "class-embeddings.safetensors", "classifier.onnx" })
            Assert.IsTrue(File.Exists(Path.Combine(output, file)), file);
        var report = File.ReadAllText(Path.Combine(output, "report.html"));
        Assert.Contains("trained: prefixes", report);
        Assert.Contains("the published model", report);
        Assert.Contains("the same label for 24 of 24 images", printed.ToString());
        Assert.Contains("<svg", report);
        var mlContext = new MLContext();
        using var tuned = mlContext.Model.LoadClip(Path.Combine(output, "clip"));
        CollectionAssert.AreEqual(
            Tiny.Model.EncodeTexts(["something red"], PrefixSelection.None)[0],
                tuned.EncodeTexts(["something red"], PrefixSelection.None)[0]);
        CollectionAssert.AreNotEqual(Tiny.Model.EncodeTexts(["something red"])[0], tuned.EncodeTexts(["something red"])[0]);
    }

    [TestMethod]
    public void Main_FolderThatIsMissing_EndsWithOne() => Assert.AreEqual(1, Run(
        "--clip", Path.Combine(Tiny.Data.Folder, "no-such-model"), "--labeled", Tiny.Data.Labeled, "--captions", Tiny.Data.Captions,
        "--test", Tiny.Data.Labeled, "--out", Path.Combine(Tiny.Data.Folder, "nothing")));

    [TestMethod]
    public void Main_ModelWithoutData_EndsWithOne() => Assert.AreEqual(1, Run("--clip", Tiny.Data.Folder));

    private static int Run(params string[] arguments) => (int)Assembly.Load("FineTune").EntryPoint!.Invoke(null, [arguments])!;
}
