using System.CommandLine;
using Samples;
using Studio;

// A web page for one model: drop images, type class names, move from the caption prefix to the classification prefix.
var model = new Option<string>("--model")
{
    Description = "A saved ML.NET model, a folder with published weights, or the name of a model on Hugging Face's hub.", Required = true,
};
var images = new Option<string?>("--images") { Description = "Folder whose images the page may load. No other folder can be read." };
var port = new Option<int>("--port") { Description = "Port on this machine; 0 takes a free one.", DefaultValueFactory = _ => 5080 };
var command = new RootCommand("Serves a web page on this machine that shows what a model makes of your images.") { model, images, port };
command.SetAction(parsed => UserErrors.Report(() =>
{
    var folder = parsed.GetValue(images) is { } path ? new ImageFolder(path) : null;
    using var clip = StudioModel.Load(parsed.GetValue(model)!);
    using var app = StudioServer.Create(clip, folder, parsed.GetValue(port));
    app.Run();
}));
return command.Parse(args).Invoke();
