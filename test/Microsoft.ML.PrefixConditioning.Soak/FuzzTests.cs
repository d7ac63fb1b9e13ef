namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Changed files of each format: read or refused with the documented exception, in little memory and without a hang.</summary>
[TestClass]
public sealed class FuzzTests
{
    private const long MostMibOfProcess = 700;   // with the runtime and libtorch, which take 250
    private const long MostKibPerFile = 1024;
    private const int InputsPerProcess = 5000;   // a Parquet file that is given up leaves a thread behind

    public TestContext TestContext { get; set; } = null!;

    public static IEnumerable<string> Formats => FuzzFormats.All.Keys;

    [TestMethod]
    [DynamicData(nameof(Formats))]
    public void Read_ChangedFiles_AreReadOrRefused(string format)
    {
        var inputs = Soak.Inputs;
        var (read, refused, kibPerFile, peak) = (0, 0, 0L, 0L);
        for (var first = 0; first < inputs; first += InputsPerProcess)
        {
            var result = FuzzProcess.Run(format, first, Math.Min(InputsPerProcess, inputs - first));
            (read, refused) = (read + result.Read, refused + result.Refused);
            (kibPerFile, peak) = (Math.Max(kibPerFile, result.KibPerFile), Math.Max(peak, result.PeakMib));
        }
        TestContext.Say($"{format}: {inputs} files, {read} read, {refused} refused, {kibPerFile} KiB a file, peak of {peak} MiB");
        Assert.AreEqual(inputs, read + refused);
        // A digest refuses each change of a checkpoint; a damaged index is replaced.
        Assert.IsGreaterThanOrEqualTo(format is "checkpoint" ? 0 : inputs / 500, read);
        Assert.IsGreaterThanOrEqualTo(format is "WebDataset index" ? 0 : inputs / 100, refused);
        Assert.IsLessThanOrEqualTo(MostMibOfProcess, peak);
        if (!format.StartsWith("image", StringComparison.Ordinal)) Assert.IsLessThan(MostKibPerFile, kibPerFile);
    }

    /// <summary>Parquet.Net reads the footer of this file forever.</summary>
    [TestMethod]
    public void Read_FooterWithoutAnEnd_IsRefused()
    {
        const int Seed = 1632;
        Assert.AreEqual(1, FuzzProcess.Run("Parquet", Seed, inputs: 1).Refused);
    }
}
