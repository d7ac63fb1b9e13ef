namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Makes torch usable in every test of the assembly.</summary>
[TestClass]
public static class TorchSetup
{
    [AssemblyInitialize]
    public static void LoadNativeLibrary(TestContext context)
    {
        TorchLibrary.EnsureLoaded();
        TorchSharp.torch.set_num_threads(1);   // on tensors this small, threads only wait for each other
    }
}
