using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>An exported model in ONNX Runtime, in a folder of its own.</summary>
internal sealed class OnnxRun : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("prefix-conditioning-");
    private readonly Lazy<InferenceSession> _session;

    public OnnxRun() => _session = new Lazy<InferenceSession>(() =>
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        options.AddSessionConfigEntry("session.strict_shape_type_inference", "1");   // fails where nodes and declared shapes differ
        return new InferenceSession(Path, options);
    });

    public string Path => System.IO.Path.Combine(_folder.FullName, "model.onnx");

    /// <summary>Names of the folder's files.</summary>
    public string Files => string.Join(", ", _folder.EnumerateFiles().Select(f => f.Name).Order(StringComparer.Ordinal));

    public InferenceSession Session => _session.Value;

    public IReadOnlyDictionary<string, string> Metadata => Session.ModelMetadata.CustomMetadataMap;

    /// <summary>All values of one output.</summary>
    public float[] Floats(string output, string input, float[] values, params int[] shape) =>
        Run(output, value => value.AsEnumerable<float>(), NamedOnnxValue.CreateFromTensor(input, new DenseTensor<float>(values, shape)));

    public float[] Floats(string output, string input, long[] values, params int[] shape) =>
        Run(output, value => value.AsEnumerable<float>(), NamedOnnxValue.CreateFromTensor(input, new DenseTensor<long>(values, shape)));

    public string[] Texts(string output, string input, float[] values, params int[] shape) =>
        Run(output, value => value.AsEnumerable<string>(), NamedOnnxValue.CreateFromTensor(input, new DenseTensor<float>(values, shape)));

    public void Dispose()
    {
        if (_session.IsValueCreated) _session.Value.Dispose();
        _folder.Delete(recursive: true);
    }

    private T[] Run<T>(string output, Func<DisposableNamedOnnxValue, IEnumerable<T>> read, NamedOnnxValue input)
    {
        using var results = Session.Run([input], [output]);
        return [.. read(results[0])];
    }
}
