using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Model.OnnxConverter;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>One step of a pipeline in the ONNX model that ML.NET writes: a graph between columns.</summary>
/// <remarks>
/// ML.NET declares every column of the rows as an input of the model and every step adds nodes from columns to columns. A step that reads
/// images declares one more input, their pixels, because ONNX cannot decode files. See docs/decisions/0013.
/// </remarks>
/// <param name="context">The model that ML.NET writes.</param>
/// <param name="rows">Schema of the rows that the whole pipeline reads: the model's inputs.</param>
/// <param name="place">Start of the names of all values, nodes and constants, different from all columns.</param>
internal sealed class OnnxStep(OnnxContext context, DataViewSchema rows, string place)
{
    private const int Opset = 11;   // ML.NET writes 9 to 12

    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);   // in the model, by the name in the graph

    /// <summary>The graph under construction.</summary>
    public OnnxGraph Graph { get; } = new(Opset);

    /// <summary>The name of the input that takes the place of images.</summary>
    public static string PixelsName { get; } = PixelColumn.NameOf(PixelValues.Rgb255);

    /// <summary>Declares an input of pixels. The column of images can then be left out by those who run the model.</summary>
    /// <param name="image">The column.</param>
    /// <param name="size">Height and width of an image.</param>
    /// <returns>The graph's name for [N, 3, S, S].</returns>
    public string TakePixels(DataViewSchema.Column image, int size)
    {
        MakeOptional(image);
        var pixels = new VectorDataViewType(NumberDataViewType.Single, RgbImage.Channels, size, size);
        ((OnnxContextImpl)context).AddInputVariable(pixels, PixelsName);   // the base class cannot
        return Take(PixelsName);
    }

    /// <summary>Takes a column.</summary>
    /// <param name="column">Its name.</param>
    /// <returns>The graph's name for it.</returns>
    public string Take(string column)
    {
        var name = $"/columns/{column}";
        _names[name] = Variable(column);
        return name;
    }

    /// <summary>The model's name for a column.</summary>
    /// <exception cref="NotSupportedException">A step that ML.NET cannot write computes the column.</exception>
    public string Variable(string column) => context.ContainsColumn(column) ? context.GetVariableName(column)
        : throw new NotSupportedException($"mlContext.Model.ConvertToOnnx cannot export a step that reads column '{column}', because a " +
            "step before it cannot be exported; MLContext.Log names that step. Export the chain without it.");

    /// <summary>Gives a value of the graph as a column. Columns are taken first.</summary>
    /// <param name="value">The graph's name for it.</param>
    /// <param name="column">The column.</param>
    public void Give(string value, DataViewSchema.Column column) =>
        _names[value] = context.AddIntermediateVariable(column.Type, column.Name);

    /// <summary>Adds the graph to the model.</summary>
    /// <exception cref="NotSupportedException">The weights do not fit into one file.</exception>
    public void Write()
    {
        context.CheckOpSetVersion(Opset, place);
        RequireOneFile(Graph.Initializers.Sum(i => i.DataLength));
        foreach (var constant in Graph.Initializers) _names[constant.Name] = constant.AddTo(context, $"{place}/{constant.Name}");
        foreach (var node in Graph.Nodes)
        {
            foreach (var output in node.Outputs)
                if (!_names.ContainsKey(output)) _names[output] = context.AddIntermediateVariable(null, place + output, skip: true);
            var added = context.CreateNode(node.Operation, node.Inputs.Select(i => _names[i]), node.Outputs.Select(o => _names[o]),
                context.GetNodeName(place + node.Name), domain: "");
            foreach (var attribute in node.Attributes) attribute.AddTo(added);
        }
    }

    /// <summary>Checks the length of a model that ML.NET writes.</summary>
    /// <param name="length">Bytes of the weights.</param>
    /// <exception cref="NotSupportedException">The weights do not fit into one file.</exception>
    internal static void RequireOneFile(long length)
    {
        if (length > OnnxModelFile.LargestSingleFile)
            throw new NotSupportedException(string.Create(CultureInfo.InvariantCulture,
                $"The model has {length} bytes of weights, and mlContext.Model.ConvertToOnnx writes one file, which can have ") +
                "2 GB. Export the model with SaveImageEncoderAsOnnx or SaveAsOnnx, which write a second file for the weights.");
    }

    /// <summary>Gives an input that the graph can do without an empty value as its default.</summary>
    /// <param name="column">The column; nothing happens if it is none of the rows' own or neither text nor bytes.</param>
    public void MakeOptional(DataViewSchema.Column column)
    {
        var name = column.Name;
        if (!context.ContainsColumn(name) || context.GetVariableName(name) != name || rows.GetColumnOrNull(name) is null) return;
        // An initializer with the name of an input is its default. Another step may have added it.
        if (((OnnxContextImpl)context)._initializers.Exists(i => i.Name == name)) return;
        if (column.Type is TextDataViewType) context.AddInitializer([""], [1, 1], name, makeUniqueName: false);
        if (column.Type is not VectorDataViewType vector || vector.ItemType != NumberDataViewType.Byte) return;
        var bytes = new int[Math.Max(1, vector.Size)];
        context.AddInitializer(bytes, typeof(byte), [1, bytes.Length], name, makeUniqueName: false);
    }
}
