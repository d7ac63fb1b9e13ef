namespace Microsoft.ML.PrefixConditioning;

/// <summary>The header that ML.NET writes before a transformer's own data: how its loader is found.</summary>
internal static class ModelVersion
{
    /// <summary>The header for one transformer. Its numbers stay as they are: versions of the content are the format's own
    /// matter.</summary>
    /// <param name="signature">Eight letters that mark the stream.</param>
    /// <param name="loaderSignature">The name under which the loader is registered; at most 24 bytes.</param>
    public static VersionInfo Of(string signature, string loaderSignature) => new(
        modelSignature: signature,
        verWrittenCur: 0x00010001,
        verReadableCur: 0x00010001,
        verWeCanReadBack: 0x00010001,
        loaderSignature: loaderSignature,
        // Without its version: an older package then opens the file too, and says what it cannot read.
        loaderAssemblyName: typeof(ModelVersion).Assembly.GetName().Name!);
}
