using Microsoft.ML.PrefixConditioning.Tests;

#pragma warning disable CA1050 // The runtime looks for this name outside of any namespace.
/// <summary>Called by the runtime before Main when DOTNET_STARTUP_HOOKS names this assembly.</summary>
internal static class StartupHook
{
    public static void Initialize()
    {
        if (RunProcess.IsThis) RunProcess.Work();
        else if (DecodingProcess.IsThis) DecodingProcess.Work();
        else if (FuzzProcess.IsThis) FuzzProcess.Work();
        else return;
        Environment.Exit(0);
    }
}
