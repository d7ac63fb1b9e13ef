using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The UniCL loss against its published formula and the sigmoid loss against open_clip; tolerance 1e-5 as test/golden
/// states.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class ContrastiveLossGoldenTests
{
    [TestMethod]
    [DataRow("all_unique")]
    [DataRow("all_same")]
    [DataRow("mixed")]
    [DataRow("mixed_two_groups")]
    public void UniCl_GoldenPattern_LossAndGradientsEqualReference(string pattern)
    {
        using var scope = NewDisposeScope();
        var golden = TinyGolden.Tensors("unicl", "unicl.safetensors");
        var imagesRaw = golden["image_features_raw"].requires_grad_();
        var textsRaw = golden["text_features_raw"].requires_grad_();
        var logitScale = golden["logit_scale_log"].requires_grad_();
        var loss = ContrastiveLoss.UniCl(
            F.normalize(imagesRaw, p: 2, dim: 1), F.normalize(textsRaw, p: 2, dim: 1), logitScale.exp(),
                golden[$"{pattern}.labels_resolved"]);
        TinyGolden.AreClose(golden[$"{pattern}.loss"], loss, 1e-5, "loss");
        loss.backward();
        TinyGolden.AreClose(golden[$"{pattern}.grad.image_features_raw"], imagesRaw.grad!, 1e-5, "image gradient");
        TinyGolden.AreClose(golden[$"{pattern}.grad.text_features_raw"], textsRaw.grad!, 1e-5, "text gradient");
        TinyGolden.AreClose(golden[$"{pattern}.grad.logit_scale_log"], logitScale.grad!, 1e-5, "scale gradient");
    }

    [TestMethod]
    [DataRow("a")]
    [DataRow("b")]
    public void SigLip_GoldenCase_LossAndGradientsEqualReference(string name)
    {
        using var scope = NewDisposeScope();
        var golden = TinyGolden.Tensors("sigmoid_loss", "sigmoid_loss.safetensors");
        var inputs = new Dictionary<string, Tensor>();
        foreach (var input in new[] { "image", "text", "log_scale", "bias" }) inputs[input] = golden[$"{name}.{input}"].requires_grad_();
        var loss = ContrastiveLoss.SigLip(inputs["image"], inputs["text"], inputs["log_scale"].exp(), inputs["bias"]);
        TinyGolden.AreClose(golden[$"{name}.loss"], loss, 1e-5, "loss");
        loss.backward();
        foreach (var (input, tensor) in inputs) TinyGolden.AreClose(golden[$"{name}.grad_{input}"], tensor.grad!, 1e-5, input);
    }

    [TestMethod]
    public void UniCl_AllLabelsDifferent_EqualsClip()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3, CPU);
        var images = F.normalize(randn([12, 8], generator: generator), p: 2, dim: 1);
        var texts = F.normalize(randn([12, 8], generator: generator), p: 2, dim: 1);
        var clip = ContrastiveLoss.Clip(images, texts, tensor(14.0f)).ToDouble();
        Assert.AreEqual(clip, ContrastiveLoss.UniCl(images, texts, tensor(14.0f), arange(12, ScalarType.Int64)).ToDouble(), 1e-6);
    }
}
