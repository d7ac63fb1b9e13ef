namespace Microsoft.ML.PrefixConditioning;

/// <summary>A graph with its metadata, as an ONNX file.</summary>
/// <remarks>
/// Constants are computed and written one after the other, so that a large model is not in memory twice. Everything is written to
/// temporary files and moved into place: a failure leaves older files whole.
/// </remarks>
/// <param name="graph">The computation.</param>
/// <param name="name">Name of the graph.</param>
/// <param name="doc">What the model does.</param>
/// <param name="metadata">What a user of the file has to know, by key.</param>
internal sealed class OnnxModelFile(OnnxGraph graph, string name, string doc, IReadOnlyList<KeyValuePair<string, string>> metadata)
{
    /// <summary>Version of the operators that the graphs are made of.</summary>
    public const int Opset = 17;

    /// <summary>Version of the format: the first that knows the operators.</summary>
    public const int IrVersion = 8;

    /// <summary>Bytes up to which a model is one file; the format ends at 2 GiB.</summary>
    public const long LargestSingleFile = 2_000_000_000;

    /// <summary>Ending of the file beside a larger model's own, which holds its weights.</summary>
    public const string DataEnding = ".data";

    private const long Alignment = 4096;   // readers may map the weights page by page
    private const int SmallestOutside = 1024;   // shapes and the like stay in the model, where shape inference looks for them

    private const int ModelIrVersion = 1, ModelProducer = 2, ModelProducerVersion = 3, ModelDoc = 6;   // ModelProto
    private const int ModelGraph = 7, ModelOpset = 8, ModelMetadata = 14;
    private const int GraphNode = 1, GraphName = 2, GraphInitializer = 5, GraphDoc = 10, GraphInput = 11, GraphOutput = 12;   // GraphProto
    private const int OpsetVersion = 2, Key = 1, Value = 2;   // OperatorSetIdProto, StringStringEntryProto

    /// <summary>Writes the model, and beside it its weights if one file would be too large.</summary>
    /// <param name="path">The model's path; an older file is replaced.</param>
    /// <param name="largestSingleFile">Bytes up to which everything is in one file.</param>
    /// <exception cref="IOException">The file cannot be written; an older one is still whole.</exception>
    public void Write(string path, long largestSingleFile = LargestSingleFile)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        try
        {
            var target = new OnnxTarget(path, path + DataEnding);
            var content = graph.Initializers.Sum(i => i.DataLength);
            if (content > largestSingleFile) target.Write(WriteReferring, WriteData);
            else target.Write(WriteWhole, writeData: null);

            void WriteReferring(Stream stream) => WriteModel(stream, inOneFile: false, Path.GetFileName(path) + DataEnding);
            void WriteWhole(Stream stream) => WriteModel(stream, inOneFile: true, "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new IOException($"The ONNX model '{path}' cannot be written: {e.Message}", e);
        }
    }

    private void WriteModel(Stream stream, bool inOneFile, string dataFile)
    {
        var (head, tail) = (GraphHead(), GraphTail());
        var initializers = new List<(OnnxMessage Start, OnnxInitializer? Data)>();
        long offset = 0;
        foreach (var initializer in graph.Initializers)
        {
            var outside = !inOneFile && IsOutside(initializer);
            initializers.Add(outside
                ? (initializer.Reference(GraphInitializer, dataFile, offset), null)
                : (initializer.Start(GraphInitializer), initializer));
            if (outside) offset = Align(offset + initializer.DataLength);
        }
        var length = head.Length + tail.Length + initializers.Sum(i => i.Start.Length + (i.Data?.DataLength ?? 0));
        ModelHead().AddStart(ModelGraph, length).WriteTo(stream);
        head.WriteTo(stream);
        foreach (var (start, data) in initializers)
        {
            start.WriteTo(stream);
            data?.WriteData(stream);
        }
        tail.WriteTo(stream);
    }

    private void WriteData(Stream stream)
    {
        foreach (var initializer in graph.Initializers.Where(IsOutside))
        {
            while (stream.Position % Alignment != 0) stream.WriteByte(0);
            initializer.WriteData(stream);
        }
    }

    private static bool IsOutside(OnnxInitializer initializer) => initializer.DataLength >= SmallestOutside;

    private static long Align(long offset) => (offset + Alignment - 1) / Alignment * Alignment;

    private OnnxMessage ModelHead()
    {
        var head = new OnnxMessage().Add(ModelIrVersion, IrVersion).Add(ModelProducer, "Microsoft.ML.PrefixConditioning")
            .Add(ModelProducerVersion, typeof(OnnxModelFile).Assembly.GetName().Version?.ToString(3) ?? "").Add(ModelDoc, doc)
            .Add(ModelOpset, new OnnxMessage().Add(OpsetVersion, graph.Opset));
        foreach (var (key, value) in metadata) head.Add(ModelMetadata, new OnnxMessage().Add(Key, key).Add(Value, value));
        return head;
    }

    private OnnxMessage GraphHead()
    {
        var head = new OnnxMessage().Add(GraphName, name).Add(GraphDoc, doc);
        foreach (var node in graph.Nodes) head.Add(GraphNode, node.ToMessage());
        return head;
    }

    private OnnxMessage GraphTail()
    {
        var tail = new OnnxMessage();
        foreach (var input in graph.Inputs) tail.Add(GraphInput, input);
        foreach (var output in graph.Outputs) tail.Add(GraphOutput, output);
        return tail;
    }
}
