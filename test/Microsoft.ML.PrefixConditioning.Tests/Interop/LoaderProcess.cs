using System.Diagnostics;
using Microsoft.ML.PrefixConditioning.Tests;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning.Tests
{
    /// <summary>A fresh process that loads TorchSharp's library. In the process of the tests it is loaded already, for good.</summary>
    /// <remarks>The test program is started anew; the runtime calls <see cref="StartupHook"/> before its Main, which never runs.</remarks>
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

        /// <summary>Starts the process.</summary>
        /// <param name="step">What it does.</param>
        /// <param name="directories">Where it finds the libraries.</param>
        /// <param name="cache">Where it keeps the copy.</param>
        /// <param name="temporary">The temporary folder it sees; null for the usual one.</param>
        public static Process Start(Step step, IEnumerable<string> directories, string cache, string? temporary = null)
        {
            var assembly = typeof(LoaderProcess).Assembly.Location;
            var host = Environment.ProcessPath!;
            var start = new ProcessStartInfo(host) { RedirectStandardOutput = true, RedirectStandardError = true };
            if (Path.GetFileNameWithoutExtension(host) == "dotnet") start.ArgumentList.Add(assembly);
            start.Environment["DOTNET_STARTUP_HOOKS"] = assembly;
            start.Environment[StepVariable] = step.ToString();
            start.Environment[DirectoriesVariable] = string.Join(Path.PathSeparator, directories);
            start.Environment[CacheVariable] = cache;
            start.Environment["NUGET_PACKAGES"] = cache;   // TorchSharp copies 500 MB from the packages' folder when it cannot load its library
            if (temporary is not null) start.Environment["TMPDIR"] = temporary;
            return Process.Start(start)!;
        }

        /// <summary>What the process wrote to both streams: "loaded", the copy's path and a sum that is 4; or the exception.</summary>
        public static string Wait(Process process)
        {
            using (process)
            {
                var error = process.StandardError.ReadToEndAsync();
                var output = process.StandardOutput.ReadToEnd() + error.Result;
                process.WaitForExit();
                Assert.AreEqual(0, process.ExitCode, output);
                return output.Trim();
            }
        }

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
        if (!LoaderProcess.IsThis) return;
        LoaderProcess.Work();
        Environment.Exit(0);
    }
}
