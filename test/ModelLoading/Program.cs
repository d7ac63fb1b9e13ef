using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;

// Arguments: a saved model, then image files, or the folder that the model's own loader is to load. Prints every vector of float and every
// text or key value that the model gives for them.
// Nothing of the package is named here, and nothing is registered: the model file alone leads ML.NET to it.
var mlContext = new MLContext();
mlContext.Log += (_, e) =>
{
    if (e.Kind == Microsoft.ML.Runtime.ChannelMessageKind.Error) Console.Error.WriteLine(e.RawMessage);
};
var folder = args.Length == 2 && Directory.Exists(args[1]) ? args[1] : null;
IDataLoader<IMultiStreamSource>? loader = null;
ITransformer model;
try
{
    model = folder is null ? mlContext.Model.Load(args[0], out _) : mlContext.Model.LoadWithDataLoader(args[0], out loader);
}
catch (System.Reflection.TargetInvocationException e)   // ML.NET's own, around the loader's
{
    Console.WriteLine(e.InnerException!.Message);
    return 1;
}

var images = loader?.Load(folder) ?? mlContext.Data.LoadFromEnumerable(
    args.Skip(1).Select(path => new ImageRow { Image = path, Text = "a red thing" }));
var scored = model.Transform(images);
foreach (var column in scored.Schema.Where(c => !c.IsHidden))
    if (column.Type is VectorDataViewType { ItemType: NumberDataViewType })
        foreach (var vector in scored.GetColumn<float[]>(column))
            Console.WriteLine($"{column.Name} {string.Join(' ', vector.Select(Bits))}");
    else if (column.Type is KeyDataViewType)
        foreach (var key in scored.GetColumn<uint>(column))
            Console.WriteLine($"{column.Name} {key}");
(model as IDisposable)?.Dispose();
return 0;

static string Bits(float value) => BitConverter.SingleToUInt32Bits(value).ToString("x8", CultureInfo.InvariantCulture);

internal sealed class ImageRow
{
    public string Image { get; set; } = "";

    public string Text { get; set; } = "";
}
