namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>Runs the comparison and prints one line per measure: name, our figure, other figure, ratio, bar, ok or short.</summary>
internal static class SideBySideRunner
{
    /// <returns>0 when every bar was reached.</returns>
    public static int Run(int pairs, string? openClip, string python, string? captions, string? only)
    {
        TorchLibrary.EnsureLoaded();
        using var peer = openClip is null ? null : new OpenClipPeer(python, openClip);
        var texts = captions is null ? Captions.Photographs : [.. File.ReadLines(captions).Where(l => l.Length > 0)];
        var vocabulary = openClip is null ? null : Path.Combine(openClip, "src", "open_clip", "bpe_simple_vocab_16e6.txt.gz");
        var tokenizer = vocabulary is null ? ClipTokenizer.Learn([.. texts, .. Captions.ClassNames], 4096)
            : ClipTokenizer.FromFile(vocabulary);
        var settings = new SideBySideSettings(pairs, peer, tokenizer, texts);
        Console.Error.WriteLine(Processor.Description);
        Console.Error.WriteLine($"Compared with {peer?.Description ?? "the plain way"}; medians of {pairs} pairs.");
        var training = new TrainingMeasures(settings);
        var memory = new MemoryMeasures(settings);
        var onnx = new OnnxMeasures(settings);
        using var scoring = new ScoringMeasures(settings);
        (string Name, Func<Measure> Take)[] measures =
        [
            ("train-small-captions", training.SmallOnCaptions),
            ("train-small-classes", training.SmallOnClassNames),
            ("train-vit-b-32", training.LargeOnCaptions),
            ("bfloat16-train-small", training.SmallRounded),
            ("bfloat16-train-vit-b-32", training.LargeRounded),
            ("bfloat16-score-vit-b-32", () => onnx.Rounded("ViT-B/32", ClipArchitecture.ViTB32, 16, 1.7)),
            ("loss-trajectory", training.LossTrajectory),
            ("ranks-one-core", () => training.Ranks(1, 1.85)),
            ("ranks-two-cores", () => training.Ranks(2, 0.95)),
            ("products-small", () => training.Products("Small", ClipArchitecture.Small, 128)),
            ("products-vit-b-32", () => training.Products("ViT-B/32", ClipArchitecture.ViTB32, 8)),
            ("arithmetic", training.Arithmetic),
            ("memory-small", MemoryMeasures.Peak),
            ("memory-vit-b-32", MemoryMeasures.PeakLarge),
            ("cached-memory", MemoryMeasures.CachedPeak),
            ("cached-gradients", memory.CachedGradients),
            ("score-files-small", scoring.SmallFromFiles),
            ("score-files-vit-b-32", scoring.LargeFromFiles),
            ("scaled-decoding", scoring.ScaledDecoding),
            ("pipeline-overhead", scoring.PipelineOverhead),
            ("class-embeddings", scoring.TextClassifier),
            ("class-embeddings-again", scoring.CachedClassifier),
            ("start-up", scoring.StartUp),
            ("rows-memory-1m", () => RowMeasures.MemoryPerRow(1_000_000)),
            ("rows-memory-12m", () => RowMeasures.MemoryPerRow(12_000_000)),
            ("rows-first-step-1m", () => RowMeasures.FirstStep(1_000_000)),
            .. RandomReads(pairs),
            .. Onnx(onnx),
        ];
        var chosen = measures.Where(m => only is null || m.Name.Contains(only, StringComparison.OrdinalIgnoreCase)).ToArray();
        if (chosen.Length == 0) throw new ArgumentException($"No measure has '{only}' in its name. There are: " +
            $"{string.Join(", ", measures.Select(m => m.Name))}.");
        var reached = true;
        foreach (var (_, take) in chosen)
        {
            var measure = take();
            reached &= measure.IsReached;
            Console.WriteLine(measure);
        }
        return reached ? 0 : 1;
    }

    private static IEnumerable<(string Name, Func<Measure> Take)> RandomReads(int pairs)
    {
        foreach (var shards in new[] { 8, 64, 1_000 })
        {
            yield return ($"random-reads-{shards}", () => ReadMeasures.RandomReads(pairs, shards, byName: false));
            yield return ($"random-reads-by-name-{shards}", () => ReadMeasures.RandomReads(pairs, shards, byName: true));
        }
    }

    private static IEnumerable<(string Name, Func<Measure> Take)> Onnx(OnnxMeasures measures)
    {
        (string Name, ClipArchitecture Architecture, int[] Batches)[] models =
            [("Tiny", ClipArchitecture.Tiny, [1, 16, 64]), ("Small", ClipArchitecture.Small, [1, 16, 64]),
                ("ViT-B/32", ClipArchitecture.ViTB32, [1, 16, 64])];
        foreach (var (name, architecture, batches) in models)
            foreach (var batch in batches)
                yield return ($"onnx-{name}-{batch}", () => measures.Images(name, architecture, batch));
        foreach (var (name, architecture, _) in models) yield return ($"onnx-size-{name}", () =>
            OnnxMeasures.ClassifierSize(name, architecture));
    }
}
