using System.Diagnostics;
using SkiaSharp;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>A process that decodes one image on several threads at once. It writes the memory that this took, and each fault.</summary>
internal static class DecodingProcess
{
    private const string ImageVariable = "DECODING_TEST_IMAGE";
    private const int Threads = 4;

    public static bool IsThis => Environment.GetEnvironmentVariable(ImageVariable) is not null;

    /// <summary>Decodes and preprocesses an image.</summary>
    /// <returns>Megabytes at the peak above a process that has decoded a small image, and the fault; empty if there is none.</returns>
    public static (long PeakMegabytes, string Fault) Run(string locator, params (string Name, string Value)[] environment)
    {
        var lines = TestProgram.Wait(TestProgram.Start([(ImageVariable, locator), .. environment])).Split('\n');
        return (long.Parse(lines[0], System.Globalization.CultureInfo.InvariantCulture), lines.ElementAtOrDefault(1) ?? "");
    }

    /// <summary>The work of the started process.</summary>
    public static void Work()
    {
        var preprocessor = ImagePreprocessor.For(32, ImageNormalization.Clip);
        var pixels = new float[Threads][];
        for (var i = 0; i < Threads; i++) pixels[i] = new float[preprocessor.Length];
        var small = ImageReference.FromEncoded(HandMadeImages.Encode(SKEncodedImageFormat.Jpeg, 64, 64, (_, _) => SKColors.Red));
        Decode(small);
        var before = Peak();
        var faults = Decode(ImageReference.FromLocator(Environment.GetEnvironmentVariable(ImageVariable)!));
        Console.WriteLine((Peak() - before) >> 20);
        Console.WriteLine(faults.FirstOrDefault(f => f is not null)?.Message);

        Exception?[] Decode(ImageReference image)
        {
            var faults = new Exception?[Threads];
            var threads = Enumerable.Range(0, Threads).Select(i => new Thread(() => faults[i] =
                preprocessor.DecodeTest(1, _ => image, ImageDecoding.Upright, _ => pixels[i], default)[0])).ToArray();
            foreach (var thread in threads) thread.Start();
            foreach (var thread in threads) thread.Join();
            return faults;
        }
    }

    private static long Peak()
    {
        using var self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64;
    }
}
