using System.Reflection;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>How ML.NET saves and loads this package's transformers and data loaders: a header that names how to load it, then its own
/// data.</summary>
internal static class SavedComponent
{
    /// <summary>Writes the header.</summary>
    /// <param name="context">Where it is saved.</param>
    /// <param name="signature">Eight letters that mark the stream.</param>
    /// <param name="loaderSignature">The name under which the loader is registered; at most 24 bytes.</param>
    public static void WriteHeader(ModelSaveContext context, string signature, string loaderSignature)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.CheckAtModel();
        context.SetVersionInfo(Header(signature, loaderSignature));
    }

    /// <summary>Checks the header and loads. A fault is logged as an error and rethrown.</summary>
    /// <remarks>
    /// ML.NET creates components by reflection, so the caller of <c>Model.Load</c> sees a fault only as the inner exception of a
    /// <see cref="TargetInvocationException"/> with a generic message. <c>MLContext.Log</c> gets the fault itself.
    /// </remarks>
    public static T Load<T>(IHostEnvironment environment, ModelLoadContext context, string signature, string loaderSignature, Func<T> load)
    {
        try
        {
            context.CheckAtModel(Header(signature, loaderSignature));
            return load();
        }
        catch (Exception e) when (e is not TargetInvocationException)   // that of a part, which was reported there
        {
            using var channel = environment.Start("Loading a model");
            channel.Error(e.Message);
            throw;
        }
    }

    // Its numbers stay as they are: versions of the content are the format's own matter.
    private static VersionInfo Header(string signature, string loaderSignature) => new(
        modelSignature: signature,
        verWrittenCur: 0x00010001,
        verReadableCur: 0x00010001,
        verWeCanReadBack: 0x00010001,
        loaderSignature: loaderSignature,
        // Without its version: an older package then opens the file too, and says what it cannot read.
        loaderAssemblyName: typeof(SavedComponent).Assembly.GetName().Name!);
}
