using System.CommandLine;
using Microsoft.ML.PrefixConditioning.Benchmarks;

var openClip = new Option<DirectoryInfo?>("--open-clip") { Description = "Folder of an open_clip checkout to compare with; without it, the plain way of this package." };
var python = new Option<string>("--python") { Description = "Python with torch.", DefaultValueFactory = _ => "/usr/bin/python3" };
var captions = new Option<FileInfo?>("--captions") { Description = "File with one caption a line; without it, captions of the program's own." };
var only = new Option<string?>("--only") { Description = "Part of the names of the measures to take." };
var pairs = new Option<int>("--pairs") { Description = "Pairs of runs per measure.", DefaultValueFactory = _ => 7 };
var sideBySide = new Command("side-by-side", "Compares with open_clip, or with the plain way, one line a measure.") { openClip, python, captions, only, pairs };
sideBySide.SetAction(result => SideBySideRunner.Run(result.GetValue(pairs), result.GetValue(openClip)?.FullName, result.GetValue(python)!,
    result.GetValue(captions)?.FullName, result.GetValue(only)));
return new RootCommand("Benchmarks of Microsoft.ML.PrefixConditioning.") { sideBySide }.Parse(args).Invoke();
