using System.CommandLine;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Samples;
using ScoreShards;

// Any number of these processes, on one machine or several with a common folder, alone or under mpirun, score the images together.
var model = new Option<string>("--model") { Description = "A saved ML.NET model.", Required = true };
var images = new Option<string>("--images") { Description = "Folder or archive with one folder of images per class.", Required = true };
var column = new Option<string>("--column") { Description = "Column to write: a vector.", DefaultValueFactory = _ => "ImageEmbedding" };
var shards = new Option<int>("--shards") { Description = "Number of shards.", DefaultValueFactory = _ => 64 };
var output = new Option<string>("--out")
{
    Description = "Folder for the shards of this model and these images; a started one is completed.", DefaultValueFactory = _ => "scores",
};
var command = new RootCommand("Scores images shard by shard. Start it again, or several times, to complete what is missing.")
{
    model, images, column, shards, output,
};
command.SetAction(parsed => UserErrors.Report(() =>
{
    var mlContext = new MLContext();
    var transformer = mlContext.Model.Load(parsed.GetValue(model)!, out _);
    var all = mlContext.Data.LoadImageFolder(parsed.GetValue(images)!);
    new ShardQueue(parsed.GetValue(output)!, parsed.GetValue(shards)).Work((index, count) =>
    {
        var shard = mlContext.Data.ShardOf(all, index, count);
        var values = transformer.Transform(shard).GetColumn<float[]>(parsed.GetValue(column)!);
        return shard.GetColumn<string>("Image").Zip(values, (image, vector) =>
            $"{image}\t{string.Join(' ', vector.Select(v => v.ToString("r", CultureInfo.InvariantCulture)))}");
    });
}));
return command.Parse(args).Invoke();
