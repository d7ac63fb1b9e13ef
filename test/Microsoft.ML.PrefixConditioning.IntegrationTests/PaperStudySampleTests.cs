using System.Reflection;
using System.Text.Json.Nodes;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>samples/PaperStudy on its smoke configuration, by its command line.</summary>
[TestClass]
public sealed class PaperStudySampleTests
{
    private static readonly string Smoke = Path.Combine(AppContext.BaseDirectory, "configs", "smoke.json");

    private static string Folder([System.Runtime.CompilerServices.CallerMemberName] string name = "") =>
        Path.Combine(Tiny.Data.Folder, "study", name);

    [TestMethod]
    public void Main_SmokeConfiguration_WritesEveryFileAndKeepsFinishedCells()
    {
        var output = Folder();
        Assert.AreEqual(0, Run("--config", Smoke, "--out", output));

        var results = File.ReadAllLines(Path.Combine(output, "results.csv"));
        Assert.AreEqual("model,loss,seed,test_set,split,prefix,top1,top5,per_class,log_loss", results[0]);
        // 4 models without prefixes and 1 with 2 types, none and 4 blends; 2 losses, 2 seeds, 3 test sets in 2 splits.
        Assert.AreEqual(1 + ((4 + 7) * 2 * 2 * 3 * 2), results.Length);
        Assert.AreEqual(1 + (2 * 2 * 3 * 2), File.ReadAllLines(Path.Combine(output, "choices.csv")).Length);
        Assert.Contains("both, prefixes", File.ReadAllText(Path.Combine(output, "summary.md")));
        Assert.Contains("<svg", File.ReadAllText(Path.Combine(output, "report.html")));
        Assert.IsEmpty(Directory.GetFileSystemEntries(Path.Combine(output, "checkpoints")), "checkpoints of finished cells are deleted");

        // Finished cells stay; one that is gone runs again, with the same result.
        var cells = Directory.GetFiles(Path.Combine(output, "cells"), "*.json").Order().ToArray();
        Assert.HasCount(18, cells, "without class names both losses are one model");
        var (kept, repeated) = (cells[3], cells[^1]);
        var (keptTime, before) = (File.GetLastWriteTimeUtc(kept), Scores(repeated));
        File.Delete(repeated);
        Assert.AreEqual(0, Run("--config", Smoke, "--out", output));
        Assert.AreEqual(keptTime, File.GetLastWriteTimeUtc(kept));
        Assert.AreEqual(before, Scores(repeated));
        CollectionAssert.AreEqual(results, File.ReadAllLines(Path.Combine(output, "results.csv")));

        // CLIP and UniCL are two losses.
        Assert.AreNotEqual(Scores(cells.First(c => Path.GetFileName(c).StartsWith("labels-only.clip.seed1"))),
            Scores(cells.First(c => Path.GetFileName(c).StartsWith("labels-only.unicl.seed1"))));
    }

    [TestMethod]
    public void Main_TimeIsUp_GoesOnLater()
    {
        var output = Folder();
        var config = Changed(json => { json["losses"] = new JsonArray("CLIP"); json["seeds"] = new JsonArray(1); });
        Assert.AreEqual(0, Run("--config", config, "--out", output, "--minutes", "0.001"));
        Assert.IsFalse(File.Exists(Path.Combine(output, "report.html")), "nothing is finished yet");
        Assert.AreEqual(0, Run("--config", config, "--out", output));
        Assert.HasCount(5, Directory.GetFiles(Path.Combine(output, "cells"), "*.json"));
    }

    [TestMethod]
    public void Main_OtherSettings_RunAgainBesideTheOldOnes()
    {
        var output = Folder();
        void Small(JsonObject json, int steps)
        {
            (json["losses"], json["seeds"]) = (new JsonArray("CLIP"), new JsonArray(1));
            json["models"] = new JsonArray(new JsonObject { ["name"] = "prefixes" });
            json["training"]!["steps"] = steps;
        }
        Assert.AreEqual(0, Run("--config", Changed(json => Small(json, 10)), "--out", output));
        Assert.AreEqual(0, Run("--config", Changed(json => Small(json, 20)), "--out", output));
        Assert.HasCount(2, Directory.GetFiles(Path.Combine(output, "cells"), "*.json"));
        Assert.HasCount(1 + (7 * 3 * 2), File.ReadAllLines(Path.Combine(output, "results.csv")));
    }

    [TestMethod]
    [DataRow("\"stepz\": 30", "stepz", DisplayName = "a setting that does not exist")]
    [DataRow("\"steps\": \"many\"", "steps", DisplayName = "a setting of the wrong type")]
    [DataRow("\"architecture\": \"Huge\"", "Tiny", DisplayName = "an unknown architecture, with those that exist")]
    [DataRow("\"batchSize\": 0", "BatchSize", DisplayName = "a setting out of range")]
    [DataRow("\"steps\": null", "steps", DisplayName = "a setting of null")]
    public void Main_WrongTrainingSetting_NamesIt(string setting, string named)
    {
        var config = Changed(json => json["training"] = JsonNode.Parse($"{{ {setting} }}"));
        Assert.Contains(named, Failure("--config", config, "--out", Folder()));
    }

    [TestMethod]
    public void Main_FaultyConfiguration_ListsEveryFault()
    {
        var config = Changed(json =>
        {
            json["losses"] = new JsonArray("SigLIP");
            json["sources"]![0]!["folder"] = "somewhere";
            json["comparisons"] = new JsonArray(new JsonObject { ["model"] = "nobody", ["against"] = new JsonArray() });
            json.Remove("drawn");
        });
        var message = Failure("--config", config, "--out", Folder());
        foreach (var part in new[] { "4 fault(s)", "'SigLIP'", "gives 2 of folder", "'nobody'", "\"drawn\": {}" }) Assert.Contains(part,
            message);
    }

    [TestMethod]
    public void Main_NamesThatNothingHas_AreFaults()
    {
        var config = Changed(json =>
        {
            json["seeds"] = new JsonArray(1, 2);
            json["models"] = new JsonArray(
                new JsonObject { ["name"] = "a", ["prefix"] = "Caption" },
                new JsonObject { ["name"] = "b", ["prefix"] = "auto", ["seeds"] = new JsonArray(2, 3), ["losses"] = new JsonArray("CLIP") },
                new JsonObject { ["name"] = "c", ["data"] = "labels", ["prefix"] = "caption" });
            json["comparisons"] = new JsonArray(new JsonObject
            {
                ["model"] = "b", ["prefix"] = "auto (DistanceRato)",
                ["against"] = new JsonArray("a")
            });
            json["losses"] = new JsonArray("UniCL");
            json["sources"]![1]!["type"] = "none";
        });
        var message = Failure("--config", config, "--out", Folder());
        foreach (var part in new[] { "6 fault(s)", "'Caption'", "'caption'", "seeds 3", "loss CLIP", "'auto (DistanceRato)'",
            "type 'none'" })
            Assert.Contains(part, message);
    }

    [TestMethod]
    public void Main_ModelIsRenamed_KeepsItsResult()
    {
        var output = Folder();
        void Named(JsonObject json, string name)
        {
            (json["losses"], json["seeds"]) = (new JsonArray("CLIP"), new JsonArray(1));
            json["models"] = new JsonArray(new JsonObject { ["name"] = name, ["training"] = new JsonObject { ["steps"] = 10 } });
        }
        Assert.AreEqual(0, Run("--config", Changed(json => Named(json, "with prefixes")), "--out", output));
        Assert.AreEqual(0, Run("--config", Changed(json => Named(json, "With: prefixes")), "--out", output));
        Assert.HasCount(1, Directory.GetFiles(Path.Combine(output, "cells"), "*.json"));
        Assert.StartsWith("With: prefixes,", File.ReadAllLines(Path.Combine(output, "results.csv"))[1]);
    }

    [TestMethod]
    public void Main_ModelDiverges_TrainsTheOthersAndSaysSo()
    {
        var output = Folder();
        var config = Changed(json =>
        {
            (json["losses"], json["seeds"]) = (new JsonArray("CLIP"), new JsonArray(1));
            json["training"]!["steps"] = 10;
            json["models"] = new JsonArray(
                new JsonObject { ["name"] = "wild", ["training"] = new JsonObject { ["learningRate"] = 1e30, ["warmupSteps"] = 0 } },
                new JsonObject { ["name"] = "tame" });
        });
        Assert.Contains("wild, CLIP, seed 1", Failure("--config", config, "--out", output));
        Assert.StartsWith("tame.", Path.GetFileName(Directory.GetFiles(Path.Combine(output, "cells"), "*.json").Single()));
    }

    [TestMethod]
    public void Main_OutputInTheDataFolder_GoesOn()
    {
        var data = Directory.CreateDirectory(Path.Combine(Folder(), "mine")).FullName;
        foreach (var (i, image) in Tiny.Data.Images.Index()) File.Copy(image.Path, Path.Combine(data, $"{i}-{image.ClassName}.png"));
        File.WriteAllLines(Path.Combine(data, "captions.tsv"),
            [.. Directory.GetFiles(data, "*.png").Select(image =>
                $"{Path.GetFileName(image)}\ta picture of {Path.GetFileNameWithoutExtension(image)}").Prepend("image\tcaption")]);
        var config = Changed(json =>
        {
            json["data"] = data;
            (json["losses"], json["seeds"]) = (new JsonArray("CLIP"), new JsonArray(1));
            json["sources"]![0] = new JsonObject { ["type"] = "caption", ["table"] = "captions.tsv" };
            json["models"] = new JsonArray(new JsonObject { ["name"] = "one", ["data"] = "captions" });
            (json["training"]!["steps"], json["training"]!["batchSize"]) = (5, 8);
        });
        var output = Path.Combine(data, "out");
        Assert.AreEqual(0, Run("--config", config, "--out", output));
        Assert.AreEqual(0, Run("--config", config, "--out", output));
        Assert.HasCount(1, Directory.GetFiles(Path.Combine(output, "cells"), "*.json"));

        // An edit of the same length is other data.
        var table = Path.Combine(data, "captions.tsv");
        File.WriteAllText(table, File.ReadAllText(table).Replace("picture", "drawing", StringComparison.Ordinal));
        Assert.AreEqual(0, Run("--config", config, "--out", output));
        Assert.HasCount(2, Directory.GetFiles(Path.Combine(output, "cells"), "*.json"));
    }

    [TestMethod]
    public void Main_MissingFiles_SaysWhichAndWhatToDo()
    {
        Assert.Contains("no-such.json", Failure("--config", "no-such.json", "--out", Folder()));
        var config = Changed(json =>
        {
            (json["data"], json["dataHint"]) = ("no-such-folder", "Build it first.");
            json["sources"]![0] = new JsonObject { ["type"] = "caption", ["table"] = "captions.tsv" };
        });
        var message = Failure("--config", config, "--out", Folder());
        Assert.Contains("no-such-folder", message);
        Assert.Contains("Build it first.", message);
    }

    [TestMethod]
    [DataRow(new byte[] { 0, 0, 8, 1, 0, 0, 0, 1 }, "0x00000803", DisplayName = "labels in the place of images")]
    [DataRow(new byte[] { 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 7 }, "ends before its last entry", DisplayName = "truncated")]
    [DataRow(new byte[] { 0, 0, 8, 3, 0, 0, 0, 1, 127, 0, 0, 0, 127, 0, 0, 0 }, "pixels", DisplayName = "absurd sizes")]
    public void Main_DamagedIdxFile_SaysHow(byte[] bytes, string expected)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Folder(), expected[..3])).FullName;
        File.WriteAllBytes(Path.Combine(folder, "images"), bytes);
        File.WriteAllBytes(Path.Combine(folder, "labels"), [0, 0, 8, 1, 0, 0, 0, 1, 0]);
        var config = Changed(json =>
        {
            json["data"] = folder;
            json["sources"]![1] = new JsonObject
            {
                ["type"] = "classification", ["idxImages"] = "images", ["idxLabels"] = "labels",
                ["classNames"] = new JsonArray("shoe", "bag"),
            };
        });
        Assert.Contains(expected, Failure("--config", config, "--out", Folder()));
    }

    /// <summary>Everything of a finished cell but its time.</summary>
    private static string Scores(string path)
    {
        var json = JsonNode.Parse(File.ReadAllText(path))!;
        return json["scores"]!.ToJsonString() + json["choices"]!.ToJsonString() + json["curve"]!.ToJsonString();
    }

    private static string Changed(Action<JsonObject> change)
    {
        var json = JsonNode.Parse(File.ReadAllText(Smoke))!.AsObject();
        change(json);
        var path = Path.Combine(Directory.CreateDirectory(Path.Combine(Tiny.Data.Folder, "study", "configs")).FullName,
            Guid.NewGuid() + ".json");
        File.WriteAllText(path, json.ToJsonString());
        return path;
    }

    private static string Failure(params string[] arguments)
    {
        using var messages = new StringWriter();
        var error = Console.Error;
        Console.SetError(messages);
        try
        {
            Assert.AreEqual(1, Run(arguments));
        }
        finally
        {
            Console.SetError(error);
        }
        return messages.ToString();
    }

    private static int Run(params string[] arguments) => (int)Assembly.Load("PaperStudy").EntryPoint!.Invoke(null, [arguments])!;
}
