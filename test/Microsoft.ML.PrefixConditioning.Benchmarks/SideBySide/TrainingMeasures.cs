using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>Training: speed against open_clip or the plain way, the loss's course, and how much of the processor is used.</summary>
internal sealed class TrainingMeasures(SideBySideSettings settings)
{
    private static PrefixClipOptions Small => new() { Architecture = ClipArchitecture.Small, BatchSize = 128, PrefixLength = 0 };

    private static PrefixClipOptions Large => new() { Architecture = ClipArchitecture.ViTB32, BatchSize = 8, PrefixLength = 0 };

    public Measure SmallOnCaptions() => Speed("train small on captions, images/s", Small, settings.CaptionTexts(Small), 1.8);

    public Measure SmallOnClassNames() => Speed("train small on class names, images/s", Small, settings.ClassTexts(Small), 2.5);

    public Measure LargeOnCaptions() => Speed("train ViT-B/32 on captions, images/s", Large, settings.CaptionTexts(Large), 1.5);

    private Measure Speed(string name, PrefixClipOptions options, IReadOnlyList<int[]> texts, double bar)
    {
        using var ours = new TrainingCase(options, texts);
        if (settings.Peer is { } peer)
        {
            var parameters = peer.Build(options.Architecture!, TrainingCase.VocabularySize, TrainingCase.LearningRate, texts);
            if (parameters != ours.Model.ParameterCount)
                throw new InvalidOperationException($"open_clip's model has {parameters} parameters, ours {ours.Model.ParameterCount}: " +
                    $"they are not the same.");
            return FromTimes(name, options, Pairs.Run(settings.Pairs, ours.Step, peer.Step), bar);
        }
        using var plain = new TrainingCase(options with { Reference = true }, texts);
        return FromTimes($"{name} (against the plain way)", options, Pairs.Run(settings.Pairs, ours.Step, plain.Step), bar);
    }

    private static Measure FromTimes(string name, PrefixClipOptions options, (double Ours, double Other, double Speedup) times,
        double bar) =>
        new(name, options.BatchSize!.Value / times.Ours, options.BatchSize!.Value / times.Other, times.Speedup, bar);

    /// <summary>Largest relative difference of the loss over 50 steps on changing batches, with prefixes.</summary>
    public Measure LossTrajectory()
    {
        var options = Small with { BatchSize = 32, PrefixLength = 1 };
        var texts = settings.CaptionTexts(Small);
        using var fast = new TrainingCase(options, texts);
        using var plain = new TrainingCase(options with { Reference = true }, texts);
        double worst = 0, last = 0;
        for (var step = 0; step < 50; step++)
        {
            var rows = Enumerable.Range(0, options.BatchSize!.Value).Select(i => texts[(i + 7 * step) % texts.Count]).ToArray();
            last = plain.Step(TrainingCase.CreateBatch(plain.Options, rows, step));
            worst = Math.Max(worst, Math.Abs(fast.Step(TrainingCase.CreateBatch(fast.Options, rows, step)) - last) / last);
        }
        return new Measure("loss over 50 steps, largest relative difference", worst, last, worst, 1e-4, Bound.AtMost);
    }

    /// <summary>Arithmetic of the matrix products that a step does, over what libtorch's largest square product reaches beside
    /// it.</summary>
    public Measure Arithmetic()
    {
        using var training = new TrainingCase(Small, settings.CaptionTexts(Small));
        const int Size = 2048;
        using var left = randn(Size, Size);
        using var right = randn(Size, Size);
        using var product = zeros(Size, Size);
        var (step, peak, _) = Pairs.Run(2 * settings.Pairs + 1, training.Step, () =>
            Pairs.Time(() => product.addmm_(left, right, beta: 0)));
        var reached = StepFlops(training) / step / 1e9;
        var most = 2.0 * Size * Size * Size / peak / 1e9;
        return new Measure("arithmetic of a small step, GFLOP/s over the matrix peak", reached, most, reached / most, 0.65);
    }

    /// <summary>Multiplications and additions of all matrix products of a step, counted from the sizes.</summary>
    private static double StepFlops(TrainingCase training)
    {
        var a = training.Options.Architecture!;
        var ids = training.Batch.Texts.Tokens;
        var lengths = Enumerable.Range(0, ids.Count).Select(i =>
        {
            var row = ids.Ids.AsSpan(i * ids.Length, ids.Length).ToArray();
            return Array.IndexOf(row, row.Max()) + 1.0;
        }).ToArray();
        double grid = a.ImageSize / a.PatchSize, patches = training.Options.BatchSize!.Value * grid * grid;
        var images = Enumerable.Repeat(grid * grid + 1, training.Options.BatchSize!.Value).ToArray();
        var embedding = 2 * 2 * patches * 3 * a.PatchSize * a.PatchSize * a.VisionWidth; // forwards, and back to the weights only
        return embedding + Blocks(images, a.VisionWidth, a.VisionLayers, a.MlpRatio)
            + Blocks(lengths, a.TextWidth, a.TextLayers, a.MlpRatio);
    }

    private static double Blocks(double[] lengths, double width, int layers, double ratio)
    {
        // Multiply-adds per token: queries, keys, values and output 4 W², MLP 2 r W²; the last block has keys and values for all tokens,
        // the rest for one.
        double tokens = lengths.Sum(), rest = (2 + 2 * ratio) * width * width;
        var attention = lengths.Sum(l => 2 * l * l) * width;   // in full: a mask is put on afterwards
        var whole = (layers - 1) * (tokens * (2 * width * width + rest) + attention);
        var last = tokens * 2 * width * width + lengths.Length * rest + 2 * tokens * width;
        return 3 * 2 * (whole + last); // forwards once, back twice
    }
}
