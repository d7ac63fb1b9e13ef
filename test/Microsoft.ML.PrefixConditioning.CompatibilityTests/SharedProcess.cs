using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning.CompatibilityTests;
using Microsoft.ML.PrefixConditioning.IntegrationTests;
using Microsoft.ML.PrefixConditioning.Tests;
using Microsoft.ML.TorchSharp.AutoFormerV2;
using Microsoft.ML.TorchSharp.NasBert.Models;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.CompatibilityTests
{
    /// <summary>A process that uses this package and Microsoft.ML.TorchSharp; the first to use TorchSharp decides how it is
    /// loaded.</summary>
    internal static class SharedProcess
    {
        private const string StepsVariable = "SHARED_PROCESS_STEPS";

        /// <summary>What the process does.</summary>
        public enum Step
        {
            /// <summary>Calls <see cref="TorchLibrary.EnsureLoaded"/>.</summary>
            EnsureLoaded,

            /// <summary>Trains a model with this package and writes its scores.</summary>
            Ours,

            /// <summary>Runs Microsoft.ML.TorchSharp's networks and writes how each of them ends.</summary>
            Theirs,
        }

        public static bool IsThis => Environment.GetEnvironmentVariable(StepsVariable) is not null;

        /// <summary>Runs the steps in a process.</summary>
        /// <returns>The lines that it wrote: one for each <see cref="Step.Ours"/>, two for each <see cref="Step.Theirs"/>.</returns>
        public static string[] Run(params Step[] steps)
        {
            var written = TestProgram.Wait(TestProgram.Start((StepsVariable, string.Join(' ', steps)), ("OMP_NUM_THREADS", "1")));
            return written.Split('\n', StringSplitOptions.TrimEntries);
        }

        /// <summary>The work of the started process.</summary>
        public static void Work()
        {
            foreach (var step in Environment.GetEnvironmentVariable(StepsVariable)!.Split(' ').Select(Enum.Parse<Step>))
                (step switch { Step.Ours => (Action)UseOurs, Step.Theirs => UseTheirs, _ => TorchLibrary.EnsureLoaded })();
            Tiny.Clean();
        }

        private static void UseOurs()
        {
            var mlContext = new MLContext(seed: 1);
            var images = Tiny.Data.Test(mlContext);
            using var model = Tiny.Train(Tiny.Options with { Epochs = 2 });
            var scored = mlContext.Transforms.ZeroShotClassification(model, TinyData.ClassNames).Fit(images).Transform(images);
            var scores = scored.GetColumn<float[]>("Score").SelectMany(row => row).Select(BitConverter.SingleToInt32Bits);
            Console.WriteLine($"scores {string.Join(' ', scores)}");
        }

        // The sizes that their trainers use; these also download pretrained weights, which do not matter here.
        private static void UseTheirs()
        {
            Report("detector", () => new AutoFormerV2(2, [64, 128, 256, 448], [2, 2, 6, 2], [2, 4, 8, 14], CPU).call(zeros(1, 3, 64, 64)));
            int[] blocks = [9, 11, 7, 0, 0, 0, 11, 11, 7, 0, 0, 0, 9, 7, 11, 0, 0, 0, 10, 7, 9, 0, 0, 0];
            Report("text encoder", () =>
                new NasBertEncoder(1, 100, embedSize: 64, arches: blocks, numEncoderLayers: blocks.Length).call(ones(1, 4, int64)));
        }

        private static void Report(string network, Action run)
        {
            // TorchSharp frees a tensor that is only named in an indexer while libtorch still reads it, unless a scope holds it.
            using var scope = NewDisposeScope();
            try
            {
                run();
                Console.WriteLine($"{network} runs");
            }
            catch (Exception e) when (e is MissingMethodException or InvalidOperationException)
            {
                Console.WriteLine($"{network} {e.GetType().Name}: {e.Message}");
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
        if (!SharedProcess.IsThis) return;
        SharedProcess.Work();
        Environment.Exit(0);
    }
}
