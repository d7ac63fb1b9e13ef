using System.Diagnostics;
using Microsoft.ML.PrefixConditioning.Tests;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning.Tests
{
    /// <summary>A fresh process that loads TorchSharp's library. In the process of the tests it is loaded already, for good.</summary>
    internal static class LoaderProcess
    {
        private const string StepVariable = "LOADER_TEST_STEP";
        private const string DirectoriesVariable = "LOADER_TEST_DIRECTORIES";
        private const string CacheVariable = "LOADER_TEST_CACHE";

        /// <summary>What the process does.</summary>
        public enum Step
        {
            /// <summary>Loads the patched library where it is needed.</summary>
            Whole,

            /// <summary>Patches and loads without asking for the need, which works on any Linux x64.</summary>
            CopyOnly,

            /// <summary>Loads as users do and convolves one image in double precision, which oneDNN does not.</summary>
            Convolution,

            /// <summary>Uses TorchSharp before anything is loaded for it, and then loads as users do.</summary>
            TorchSharpFirst,
        }

        /// <summary>Starts the process. It writes "loaded", the copy's path and a number that is 4; or the exception.</summary>
        /// <param name="step">What it does.</param>
        /// <param name="directories">Where it finds the libraries.</param>
        /// <param name="cache">Where it keeps the copy.</param>
        /// <param name="temporary">The temporary folder it sees; null for the usual one.</param>
        public static Process Start(Step step, IEnumerable<string> directories, string cache, string? temporary = null) =>
            TestProgram.Start(
                (StepVariable, step.ToString()),
                (DirectoriesVariable, string.Join(Path.PathSeparator, directories)),
                (CacheVariable, cache),
                ("TMPDIR", temporary ?? Path.GetTempPath()),
                ("NUGET_PACKAGES", cache));   // from the real folder, a TorchSharp that fails to load copies 500 MB beside the program

        /// <summary>The work of the started process.</summary>
        public static void Work()
        {
            try
            {
                var directories = Environment.GetEnvironmentVariable(DirectoriesVariable)!.Split(Path.PathSeparator);
                var libraries = new NativeTorchLibraries(directories);
                var cache = Environment.GetEnvironmentVariable(CacheVariable);
                var step = Enum.Parse<Step>(Environment.GetEnvironmentVariable(StepVariable)!);
                string? path = null;
                switch (step)
                {
                    case Step.Whole:
                        path = TorchLibrary.LoadPatched(libraries, cache);
                        break;
                    case Step.CopyOnly:
                        TorchLibrary.LoadLibtorch(libraries);
                        path = TorchLibrary.LoadCopy(libraries.Find(NativeTorchLibraries.TorchSharpFile)!, cache);
                        break;
                    case Step.TorchSharpFirst:
                        UseTorchSharp();
                        goto default;
                    default:
                        TorchLibrary.EnsureLoaded();
                        break;
                }
                Console.WriteLine($"loaded {path} {(step == Step.Convolution ? Convolve() : Sum())}");
            }
            catch (Exception e) when (e is DllNotFoundException or PlatformNotSupportedException or InvalidOperationException)
            {
                Console.WriteLine($"{e.GetType().Name}: {e.Message}");
            }
        }

        public static bool IsThis => Environment.GetEnvironmentVariable(StepVariable) is not null;

        private static float Sum()
        {
            using var ones = torch.ones(2, 2);
            return ones.sum().item<float>();
        }

        private static double Convolve()
        {
            using var ones = torch.ones(1, 1, 2, 2, torch.float64);
            return torch.nn.functional.conv2d(ones, ones).item<double>();
        }

        private static void UseTorchSharp()
        {
            try
            {
                Sum();
            }
            catch (TypeInitializationException)
            {
                Console.WriteLine("TorchSharp failed.");
            }
        }
    }
}

#pragma warning disable CA1050 // The runtime looks for this name outside of any namespace.
/// <summary>Called by the runtime before Main when DOTNET_STARTUP_HOOKS names this assembly.</summary>
internal static class StartupHook
{
    public static void Initialize()
    {
        if (LoaderProcess.IsThis) LoaderProcess.Work();
        else if (MpiProcess.IsThis) MpiProcess.Work();
        else return;
        Environment.Exit(0);
    }
}
