using System.Diagnostics;
using static TorchSharp.torch;
using Microsoft.ML.PrefixConditioning;
using F = TorchSharp.torch.nn.functional;
NativeTorchLoader.EnsureLoaded();
Console.WriteLine($"threads {get_num_threads()}");
double Time(Action a, int n = 9)
{
    a(); a();
    var t = new List<double>();
    for (int i = 0; i < n; i++) { var s = Stopwatch.GetTimestamp(); a(); t.Add(Stopwatch.GetElapsedTime(s).TotalSeconds); }
    t.Sort(); return t[n / 2];
}
foreach (var (m, k, n) in new[] { (2048L, 2048L, 2048L), (8320, 192, 768), (8320, 768, 192), (8320, 192, 576), (192, 8320, 768) , (2048,192,768)})
{
    using var a = randn(m, k); using var b = randn(k, n); using var o = empty(m, n); using var bt = randn(n, k);
    var t = Time(() => { using var c = a.matmul(b); });
    var bias = randn(n);
    var t2 = Time(() => { using var c = F.linear(a, bt, bias); });
    Console.WriteLine($"{m} {k} {n}: matmul {2.0 * m * k * n / t / 1e9:0} GF/s  linear {2.0 * m * k * n / t2 / 1e9:0}");
}
{
    using var x = randn(8320, 192); using var g = ones(192); using var bb = zeros(192);
    Console.WriteLine($"layer_norm {Time(() => { using var y = F.layer_norm(x, [192], g, bb); }) * 1e3:0.00} ms");
    using var h = randn(8320, 768);
    Console.WriteLine($"gelu 8320x768 {Time(() => { using var y = F.gelu(h); }) * 1e3:0.00} ms");
    using var hg = randn(8320, 768).requires_grad_(true);
    Console.WriteLine($"gelu fwd+bwd {Time(() => { using var s = NewDisposeScope(); var y = F.gelu(hg); y.backward([h]); hg.grad = null; }) * 1e3:0.00} ms");
    using var xg = randn(8320, 192).requires_grad_(true); g.requires_grad_(true); bb.requires_grad_(true);
    Console.WriteLine($"ln fwd+bwd {Time(() => { using var s = NewDisposeScope(); var y = F.layer_norm(xg, [192], g, bb); y.backward([x]); xg.grad = null; g.grad = null; bb.grad = null; }) * 1e3:0.00} ms");
    using var q = randn([128, 65, 3, 3, 64]).requires_grad_(true);
    using var go = randn(128, 3, 65, 64);
    Console.WriteLine($"sdpa fwd {Time(() => { using var s = NewDisposeScope(); using var _ = no_grad(); var p = q.permute(2, 0, 3, 1, 4); var y = F.scaled_dot_product_attention(p[0], p[1], p[2]); }) * 1e3:0.00} ms");
    Console.WriteLine($"sdpa fwd+bwd {Time(() => { using var s = NewDisposeScope(); var p = q.permute(2, 0, 3, 1, 4); var y = F.scaled_dot_product_attention(p[0], p[1], p[2]); y.backward([go]); q.grad = null; }) * 1e3:0.00} ms");
    using var add = randn(8320, 192);
    Console.WriteLine($"add {Time(() => { using var y = x + add; }) * 1e3:0.00} ms");
}
{
    using var w = ModelWeights.Initialised(CPU, 1);
    var block = new TransformerBlock(w, "a", 192, 3, 4, ClipActivation.Gelu, null); w.Seal();
    using var x = randn(128, 65, 192).requires_grad_(true); using var go = randn(128, 65, 192);
    Console.WriteLine($"block fwd+bwd {Time(() => { using var s = NewDisposeScope(); var y = block.Forward(x, AttentionMask.None); y.backward([go]); x.grad = null; foreach (var p in w.Named) p.Value.grad = null; }) * 1e3:0.00} ms; matmul flop {3 * 128 * 65 * 2 * 12.0 * 192 * 192 / 1e9} GF + attention {3 * 128 * 4 * 65 * 65 * 192.0 / 1e9}");
}
