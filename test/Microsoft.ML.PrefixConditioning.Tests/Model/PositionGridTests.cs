using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PositionGridTests
{
    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    [DataRow(4)]
    [DataRow(6)]
    [DataRow(9)]
    public void Resize_OtherGrid_EqualsOpenClip(int grid)
    {
        using var scope = NewDisposeScope();
        var golden = TinyGolden.Tensors("pretrained", "position_grid.safetensors");
        // 1e-6: a few fp32 operations on values near 1.
        TinyGolden.AreClose(golden[$"grid{grid}"], PositionGrid.Resize(golden["positions"], grid), 1e-6, $"grid {grid}");
    }
}
