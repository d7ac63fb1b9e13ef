using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>open_clip in a Python process of its own, which waits between two steps.</summary>
internal sealed class OpenClipPeer : IDisposable
{
    private readonly Process _process;

    /// <param name="python">The interpreter that has torch.</param>
    /// <param name="checkout">A folder with open_clip's sources.</param>
    public OpenClipPeer(string python, string checkout)
    {
        var start = new ProcessStartInfo(python) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var argument in new[] { Path.Combine(AppContext.BaseDirectory, "open_clip_peer.py"), checkout,
            $"{TorchSharp.torch.get_num_threads()}" })
            start.ArgumentList.Add(argument);
        // These two settings force one processor's kernels on any other.
        start.Environment.Remove("OPENBLAS_CORETYPE");
        start.Environment.Remove("OPENBLAS_L2_SIZE");
        _process = Process.Start(start) ?? throw new InvalidOperationException($"'{python}' did not start.");
        Description = $"open_clip on torch {Read()["torch"]}, {TorchSharp.torch.get_num_threads()} threads";
    }

    /// <summary>What is compared with.</summary>
    public string Description { get; }

    /// <summary>Makes a model and a batch, in place of those before.</summary>
    public long Build(ClipArchitecture architecture, int vocabularySize, double learningRate, IEnumerable<int[]> texts)
    {
        var answer = Ask(new JsonObject
        {
            ["command"] = "build",
            ["embed_dim"] = architecture.EmbeddingSize,
            ["learning_rate"] = learningRate,
            ["vision_cfg"] = new JsonObject
            {
                ["image_size"] = architecture.ImageSize, ["patch_size"] = architecture.PatchSize, ["width"] = architecture.VisionWidth,
                ["layers"] = architecture.VisionLayers, ["head_width"] = architecture.VisionWidth / architecture.VisionHeads,
                ["mlp_ratio"] = architecture.MlpRatio,
            },
            ["text_cfg"] = new JsonObject
            {
                ["context_length"] = architecture.ContextLength, ["vocab_size"] = vocabularySize, ["width"] = architecture.TextWidth,
                ["heads"] = architecture.TextHeads, ["layers"] = architecture.TextLayers,
            },
            ["tokens"] = new JsonArray([.. texts.Select(text =>
                new JsonArray([.. text.Concat(Enumerable.Repeat(0, architecture.ContextLength - text.Length)).Select(id =>
                (JsonNode)id)]))]),
        });
        return (long)answer["parameters"]!;
    }

    /// <summary>One training step: seconds as the other process measures them.</summary>
    public double Step() => (double)Ask(new JsonObject { ["command"] = "step" })["seconds"]!;

    private JsonNode Ask(JsonObject request)
    {
        _process.StandardInput.WriteLine(request.ToJsonString());
        return Read();
    }

    private JsonNode Read() => JsonNode.Parse(_process.StandardOutput.ReadLine() ?? throw new InvalidOperationException(
        $"The Python process ended with {(_process.WaitForExit(5000) ? _process.ExitCode : -1)}; its message stands above. It needs " +
            $"torch, and open_clip's sources in the given folder."))!;

    /// <inheritdoc/>
    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}
