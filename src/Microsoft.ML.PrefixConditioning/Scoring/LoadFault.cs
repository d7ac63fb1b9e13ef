using System.Reflection;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Puts the cause of a failed load where the user sees it.</summary>
/// <remarks>
/// ML.NET makes transformers by reflection, so that a fault reaches the caller of <c>Model.Load</c> only as the inner exception of a
/// <see cref="TargetInvocationException"/> with a message that says nothing. The event <c>MLContext.Log</c> gets the fault itself.
/// </remarks>
internal static class LoadFault
{
    /// <summary>Loads; a fault is reported as an error and thrown on.</summary>
    public static T Report<T>(IHostEnvironment environment, Func<T> load)
    {
        try
        {
            return load();
        }
        catch (Exception e) when (e is not TargetInvocationException)   // that of a part, which was reported there
        {
            using var channel = environment.Start("Loading a model");
            channel.Error(e.Message);
            throw;
        }
    }
}
