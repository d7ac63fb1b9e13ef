namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>Training: speed against open_clip or the plain way, the loss's course, and how much of the processor is used.</summary>
internal sealed class TrainingMeasures(SideBySideSettings settings)
{
    private static PrefixClipOptions Small => new() { Architecture = ClipArchitecture.Small, BatchSize = 128, PrefixLength = 0 };

    private static PrefixClipOptions Large => new() { Architecture = ClipArchitecture.ViTB32, BatchSize = 8, PrefixLength = 0 };

    public Measure SmallOnCaptions() =>
        Speed("train small on captions, images/s", Small, settings.CaptionTexts(Small), Processor.Has512Bits ? 4 : 2.5);

    public Measure SmallOnClassNames() =>
        Speed("train small on class names, images/s", Small, settings.ClassTexts(Small), Processor.Has512Bits ? 3.5 : 3);

    public Measure LargeOnCaptions() =>
        Speed("train ViT-B/32 on captions, images/s", Large, settings.CaptionTexts(Large), Processor.Has512Bits ? 3 : 2.2);

    /// <summary>Training in bfloat16 over training in single precision.</summary>
    public Measure SmallRounded() => Rounded("train small on captions in bfloat16, images/s, over single precision", Small, 1.5);

    /// <inheritdoc cref="SmallRounded"/>
    public Measure LargeRounded() => Rounded("train ViT-B/32 on captions in bfloat16, images/s, over single precision", Large, 1.7);

    private Measure Rounded(string name, PrefixClipOptions options, double bar)
    {
        var texts = settings.CaptionTexts(options);
        using var rounded = new TrainingCase(options with { Precision = Precision.BFloat16 }, texts);
        using var single = new TrainingCase(options, texts);
        return FromTimes(name, options, Pairs.Run(settings.Pairs, rounded.Step, single.Step), bar);
    }

    /// <summary>Two ranks on two cores against one process on one of them, or on both.</summary>
    /// <param name="cores">Cores of the one process.</param>
    /// <param name="bar">The bar.</param>
    public Measure Ranks(int cores, double bar)
    {
        string[] steps = ["measure-steps", "12"], mpirun = ["mpirun.openmpi", "--allow-run-as-root", "--bind-to", "core"];
        var (two, one, speedup) = Pairs.Run(settings.Pairs, () => ChildProcess.Number([.. mpirun, "-n", "2"], steps),
            () => ChildProcess.Number([.. mpirun, "-n", "1", "--map-by", $"slot:PE={cores}"], steps));
        return FromTimes($"train small on captions with two ranks, images/s, over one process on {cores} core(s)", Small,
            (two, one, speedup), bar);
    }

    /// <summary>Seconds of a step of the small model alone, on all ranks that a launcher started.</summary>
    public static double MedianStep(int steps)
    {
        TorchLibrary.EnsureLoaded();
        var isRank = Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_SIZE") is not (null or "1");
        using var group = isRank ? ProcessGroup.Mpi() : null;
        var texts = Captions.Photographs;
        var tokenizer = ClipTokenizer.Learn([.. texts, .. Captions.ClassNames], 4096);
        using var training = new TrainingCase(Small, new SideBySideSettings(1, null, tokenizer, texts).CaptionTexts(Small),
            group is null ? null : new Ranks(group));
        for (var step = 0; step < steps; step++) training.Step();   // beside the compiler, for which a rank has no other core
        double[] times = [.. Enumerable.Range(0, steps).Select(_ => training.Step()).Order()];
        return times[steps / 2];
    }

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
        using var plain = new TrainingCase(options with { UseTensorOperations = true }, texts);
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
        using var plain = new TrainingCase(options with { UseTensorOperations = true }, texts);
        double worst = 0, last = 0;
        for (var step = 0; step < 50; step++)
        {
            var rows = Enumerable.Range(0, options.BatchSize!.Value).Select(i => texts[(i + 7 * step) % texts.Count]).ToArray();
            last = plain.Step(TrainingCase.CreateBatch(plain.Options, rows, step));
            worst = Math.Max(worst, Math.Abs(fast.Step(TrainingCase.CreateBatch(fast.Options, rows, step)) - last) / last);
        }
        return new Measure("loss over 50 steps, largest relative difference", worst, last, worst, 1e-4, Bound.AtMost);
    }

    /// <summary>Arithmetic of the matrix products that a step does, over multiply-adds in registers.</summary>
    public Measure Arithmetic()
    {
        using var training = new TrainingCase(Small, settings.CaptionTexts(Small));
        return OverPeak("arithmetic of a small step", training.Step, StepFlops(training), Processor.Has512Bits ? 0.55 : 0.6);
    }

    /// <summary>The products of a transformer block with its weights, forwards and back, over multiply-adds in registers.</summary>
    public unsafe Measure Products(string name, ClipArchitecture architecture, int batch)
    {
        int width = architecture.VisionWidth, hidden = (int)(width * architecture.MlpRatio);
        var grid = architecture.ImageSize / architecture.PatchSize;
        var tokens = batch * (grid * grid + 1);
        using MatrixBuffer x = new(), y = new(), weight = new();
        foreach (var (buffer, rows, columns) in new[] { (x, tokens, hidden), (y, tokens, hidden), (weight, hidden, hidden) })
            buffer.Resize(rows, columns).Tensor.uniform_(-1, 1);
        (int Outputs, int Inputs)[] weights = [(3 * width, width), (width, width), (hidden, width), (width, hidden)];
        double Run<V>() where V : struct, ILanes<V> => Pairs.Time(() =>
        {
            foreach (var (outputs, inputs) in weights)
            {
                var w = new MatrixOperand(weight.Data, inputs);
                MatrixProduct<V>.Run(tokens, outputs, inputs, new(x.Data, inputs), w.Transposed, y.Data);
                MatrixProduct<V>.Run(tokens, inputs, outputs, new(x.Data, outputs), w, y.Data);
                var left = new MatrixOperand(x.Data, outputs).Transposed;
                MatrixProduct<V>.Run(outputs, inputs, tokens, left, new(y.Data, inputs), weight.Data);
            }
        });
        var flops = 6.0 * tokens * weights.Sum(w => (double)w.Outputs * w.Inputs);
        return OverPeak($"products at the shapes of {name} with batch {batch}", Processor.Has512Bits ? Run<Lanes512> : Run<Lanes256>, flops,
            Processor.Has512Bits ? 0.7 : 0.75);
    }

    private Measure OverPeak(string name, Func<double> run, double flops, double bar)
    {
        double operations = 0;
        var (seconds, peak, _) = Pairs.Run(2 * settings.Pairs + 1, run, () =>
        {
            (var time, operations) = Processor.MultiplyAdds();
            return time;
        });
        double reached = flops / seconds / 1e9, most = operations / peak / 1e9;
        return new Measure($"{name}, GFLOP/s over multiply-adds in registers", reached, most, reached / most, bar);
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
