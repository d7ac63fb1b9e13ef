using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Towers with different ratios of hidden layers against open_clip v3.3.0; tolerances as test/golden/mlp_ratios states.</summary>
[TestClass, TestCategory(Numeric.Category)]
public sealed class MlpRatioGoldenTests
{
    [TestMethod]
    [DataRow("ratio_rounded", false)]
    [DataRow("ratio_rounded", true)]
    [DataRow("ratio_text", false)]
    [DataRow("ratio_text", true)]
    public void Forward_AndBackward_EqualReference(string name, bool useTensorOperations)
    {
        using var scope = NewDisposeScope();
        var golden = TinyGolden.Tensors("mlp_ratios", Path.Combine(name, "io.safetensors"));
        using var pretrained = PretrainedClip.Open(Golden.Path("mlp_ratios", name), new PretrainedWishes());
        Assert.IsEmpty(pretrained.Warnings);
        using var model = ClipModel.CreateUnset(pretrained.FileShape, CPU, useTensorOperations);
        pretrained.ReadInto(model, pretrained.Prefixes.DatasetTypes, seed: 1);
        TinyGolden.AreRelativelyClose(golden["image_features"], model.Vision.Forward(golden["images"], null), 1e-5, "image features");
        TinyGolden.AreRelativelyClose(golden["text_features"], model.Text.Forward(golden["tokens"], null), 1e-5, "text features");

        Tensor images = model.EncodeImages(golden["images"], null), texts = model.EncodeTexts(golden["tokens"], null);
        var (imageLeaf, textLeaf) = (images.detach().requires_grad_(), texts.detach().requires_grad_());
        var loss = ContrastiveLoss.Clip(imageLeaf, textLeaf, model.LogitScale.exp());
        TinyGolden.AreRelativelyClose(golden["loss"], loss, 1e-5, "loss");
        loss.backward();
        model.Backward(images, imageLeaf.grad!);
        model.Backward(texts, textLeaf.grad!);
        var weights = model.Weights.ToDictionary(w => w.Key, w => w.Value);
        foreach (var (key, weight) in new[]
        {
            ("grad_conv1", "visual.conv1.weight"), ("grad_vision_fc", "visual.transformer.resblocks.0.mlp.c_fc.weight"),
            ("grad_text_fc", "transformer.resblocks.0.mlp.c_fc.weight"), ("grad_scale", "logit_scale"),
        })
            TinyGolden.AreRelativelyClose(golden[key], weights[weight].grad!, 1e-4, weight);
    }
}
