using System.Diagnostics.CodeAnalysis;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>Runs in this process: libtorch is loaded once, and no project is built for it.</summary>
internal sealed class InProcess : ManualConfig
{
    public InProcess() => AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
}

/// <summary>A transformer block of the small vision tower, batch 128, forwards and back.</summary>
[Config(typeof(InProcess))]
[SuppressMessage("Design", "CA1001", Justification = "BenchmarkDotNet calls the method that frees them.")]
public class BlockBenchmarks
{
    private TrainingCase? _training;

    [ParamsAllValues]
    public bool Fused { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        var settings = new SideBySideSettings(1, null, ClipTokenizer.Learn(Captions.Photographs, 4096), Captions.Photographs);
        var options = new PrefixClipOptions
        {
            Architecture = ClipArchitecture.Small with { VisionLayers = 2, TextLayers = 1 }, BatchSize = 128, PrefixLength = 0,
            UseTensorOperations = !Fused,
        };
        _training = new TrainingCase(options, settings.CaptionTexts(options));
    }

    [Benchmark]
    public double Backward() => _training!.Backward();

    [GlobalCleanup]
    public void Free() => _training?.Dispose();
}

/// <summary>AdamW over ten million values.</summary>
[Config(typeof(InProcess))]
[SuppressMessage("Design", "CA1001", Justification = "BenchmarkDotNet calls the method that frees them.")]
public class OptimizerBenchmarks
{
    private Tensor? _weight, _scale;
    private ClipOptimizer? _optimizer;

    [ParamsAllValues]
    public bool Reference { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        (_weight, _scale) = (randn(10_000, 1000).requires_grad_(true), zeros(1).requires_grad_(true));
        _optimizer = new ClipOptimizer([new("weight", _weight), new("logit_scale", _scale)], new(), useTensorOperations: Reference);
    }

    [Benchmark]
    public void Step()
    {
        if (_weight!.grad is null) _weight.grad = ones_like(_weight);
        _optimizer!.Step(1e-4);
    }

    [GlobalCleanup]
    public void Free()
    {
        _optimizer?.Dispose();
        _weight?.Dispose();
        _scale?.Dispose();
    }
}

/// <summary>Texts to token ids.</summary>
[Config(typeof(InProcess))]
public class TokenizerBenchmarks
{
    private readonly ClipTokenizer _tokenizer = ClipTokenizer.Learn(Captions.Photographs, 4096);

    [Benchmark]
    public int Encode() => Captions.Photographs.Sum(text => _tokenizer.Encode(text, 77).Length);
}
