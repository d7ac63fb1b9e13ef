using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Weight files as training tools and model hubs leave them: read, or refused with advice that works.</summary>
[TestClass]
public sealed class PretrainedFilesTests
{
    private static readonly byte[] HuggingFace = ModelFolder.HuggingFaceWeights();

    private static KeyValuePair<string, Tensor>[] Tensors(ClipLayout layout, Func<string, string> rename) => [.. Safetensors.Read(
        new MemoryStream(layout == ClipLayout.HuggingFace ? HuggingFace : ModelFolder.OpenClipWeights())).Select(t =>
            KeyValuePair.Create(rename(t.Key), t.Value))];

    /// <summary>The logit scale and one weight of each tower, which only the right names give.</summary>
    private static float[] Probe(string path)
    {
        using var scope = NewDisposeScope();
        using var pretrained = PretrainedClip.Open(path, new PretrainedWishes { VisionHeads = 3, TextHeads = 2 });
        using var model = ClipModel.CreateUnset(pretrained.FileShape, CPU);
        pretrained.ReadInto(model, pretrained.Prefixes.DatasetTypes, seed: 1);
        var weights = model.Weights.ToDictionary(w => w.Key, w => w.Value);
        return [model.LogitScale.ToSingle(), weights["visual.proj"].sum().ToSingle(), weights["ln_final.weight"].sum().ToSingle()];
    }

    private static float[] Expected()
    {
        using var folder = new ModelFolder().Add("model.safetensors", HuggingFace).AddHuggingFaceConfig();
        return Probe(folder.Path);
    }

    private static ModelFolder Folder(string name, byte[] content, ClipLayout layout)
    {
        var folder = new ModelFolder().Add(name, content);
        return layout == ClipLayout.HuggingFace ? folder.AddHuggingFaceConfig() : folder.AddOpenClipConfig();
    }

    private static string Refused<T>(string path) where T : Exception
    {
        var before = LiveTensors.Count();
        var message = Assert.ThrowsExactly<T>(() => PretrainedFiles.Open(path).Dispose()).Message;
        Assert.AreEqual(before, LiveTensors.Count());
        return message;
    }

    [TestMethod]
    [DataRow("module.")]
    [DataRow("_orig_mod.")]
    [DataRow("model.")]
    [DataRow("clip.")]
    [DataRow("_orig_mod.module.")]
    [DataRow("module._orig_mod.")]
    [DataRow("model.clip.")]
    public void Open_NamesWithAPrefixInEveryKindOfFile_AreTheModels(string prefix)
    {
        using var scope = NewDisposeScope();
        var expected = Expected();
        foreach (var layout in Enum.GetValues<ClipLayout>())
        {
            var tensors = Tensors(layout, name => prefix + name);
            using var safetensors = Folder("a.safetensors", ModelFolder.Bytes(tensors), layout);
            CollectionAssert.AreEqual(expected, Probe(safetensors.Path));
            using var checkpoint = Folder("a.pt", TorchZip.Of(tensors), layout);
            CollectionAssert.AreEqual(expected, Probe(checkpoint.Path));
            using var sharded = Folder("part.safetensors", ModelFolder.Bytes(tensors), layout).Add("x.safetensors.index.json",
                JsonSerializer.Serialize(new { weight_map = tensors.ToDictionary(t => t.Key, _ => "part.safetensors") }));
            CollectionAssert.AreEqual(expected, Probe(sharded["x.safetensors.index.json"]));
        }
    }

    [TestMethod]
    public void Open_CompiledAndShardedTowers_AreTheModels()
    {
        using var scope = NewDisposeScope();
        var tensors = Tensors(ClipLayout.OpenClip, name => name.Replace("visual.", "visual._orig_mod.", StringComparison.Ordinal)
            .Replace("resblocks.1.", "resblocks.1._fsdp_wrapped_module._checkpoint_wrapped_module.", StringComparison.Ordinal));
        using var folder = Folder("a.safetensors", ModelFolder.Bytes(tensors), ClipLayout.OpenClip);
        CollectionAssert.AreEqual(Expected(), Probe(folder.Path));
    }

    [TestMethod]
    [DataRow(ClipLayout.OpenClip)]
    [DataRow(ClipLayout.HuggingFace)]
    public void Open_LogitScaleAsAVectorOfOne_IsTheSameNumber(ClipLayout layout)
    {
        using var scope = NewDisposeScope();
        var tensors = Tensors(layout, name => name);
        var at = Array.FindIndex(tensors, t => t.Key == "logit_scale");
        tensors[at] = new("logit_scale", tensors[at].Value.reshape(1));
        foreach (var content in new[] { ModelFolder.Bytes(tensors), TorchZip.Of(tensors) })
        {
            using var folder = Folder("a.pt", content, layout);
            CollectionAssert.AreEqual(Expected(), Probe(folder.Path));
        }
    }

    [TestMethod]
    public void Open_LogitScaleOfTwoNumbers_IsNamed()
    {
        using var scope = NewDisposeScope();
        var tensors = Tensors(ClipLayout.OpenClip, name => name).Where(t => t.Key != "logit_scale").Append(new("logit_scale", zeros(2)));
        using var folder = Folder("a.safetensors", ModelFolder.Bytes(tensors), ClipLayout.OpenClip);
        StringAssert.EndsWith(Assert.ThrowsExactly<InvalidDataException>(() => Probe(folder.Path)).Message, "'logit_scale' is [2], " +
            "expected [].");
    }

    [TestMethod]
    public void Open_TwoModelsInOneFile_NamesBoth()
    {
        using var scope = NewDisposeScope();
        var both = Tensors(ClipLayout.OpenClip, name => $"model.{name}").Concat(Tensors(ClipLayout.OpenClip, name => $"ema.{name}"));
        using var folder = Folder("a.safetensors", ModelFolder.Bytes(both), ClipLayout.OpenClip);
        StringAssert.EndsWith(Refused<InvalidDataException>(folder.Path), "The file holds 2 models: their names begin with 'model.' and " +
            "'ema.'. " +
            "Save the state dictionary of the wanted one alone.");
        var twice = Tensors(ClipLayout.OpenClip, name => name).Append(new("_orig_mod.logit_scale", zeros([])));
        folder.Add("a.safetensors", ModelFolder.Bytes(twice));
        StringAssert.EndsWith(Refused<InvalidDataException>(folder.Path), "The file holds 'logit_scale' twice, as 'logit_scale' and as " +
            "'_orig_mod.logit_scale'. Save the state dictionary of the model alone.");
    }

    [TestMethod]
    public void Open_BinFilesWithAnIndex_AreReadAndNamedInAdvice()
    {
        using var scope = NewDisposeScope();
        var tensors = Tensors(ClipLayout.HuggingFace, name => name);
        string PartOf(string name) => $"pytorch_model-0000{(name.StartsWith("vision", StringComparison.Ordinal) ? 1 : 2)}-of-00002.bin";
        using var folder = new ModelFolder().AddHuggingFaceConfig();
        foreach (var part in tensors.GroupBy(t => PartOf(t.Key))) folder.Add(part.Key, TorchZip.Of(part));
        StringAssert.EndsWith(Refused<FileNotFoundException>(folder.Path), "holds several files of weights: " +
            "'pytorch_model-00001-of-00002.bin', " +
            "'pytorch_model-00002-of-00002.bin'. They are parts of one model: put the index that joins them there, as it was published " +
            "(*.index.json).");
        StringAssert.Contains(Refused<InvalidDataException>(folder[PartOf("vision")]), "It is one of several parts, as its name says: " +
            "give the " +
            "path of the index that joins them (*.index.json).");
        folder.Add("pytorch_model.bin.index.json",
            JsonSerializer.Serialize(new { weight_map = tensors.ToDictionary(t => t.Key, t => PartOf(t.Key)) }));
        CollectionAssert.AreEqual(Expected(), Probe(folder.Path));
        CollectionAssert.AreEqual(Expected(), Probe(folder["pytorch_model.bin.index.json"]));
        StringAssert.Contains(Refused<InvalidDataException>(folder[PartOf("vision")]), "give the path of the index " +
            "'pytorch_model.bin.index.json'.");
        File.Delete(folder[PartOf("text")]);
        StringAssert.EndsWith(Refused<FileNotFoundException>(folder.Path), "-00002-of-00002.bin', which is not there. Put it beside the " +
            "index.");
        folder.Add(PartOf("text"), "hello");
        StringAssert.Contains(Refused<InvalidDataException>(folder.Path), "-00002-of-00002.bin': This is no checkpoint of PyTorch 1.6 " +
            "or later");
    }

    [TestMethod]
    [DataRow("model.safetensors")]
    [DataRow("pytorch_model.bin")]
    [DataRow("config.json")]
    public void Open_JsonInsteadOfWeights_SaysWhatIsExpected(string name)
    {
        using var folder = new ModelFolder().AddHuggingFaceConfig();
        folder.Add(name, File.ReadAllText(folder["config.json"]));
        StringAssert.EndsWith(Refused<InvalidDataException>(folder[name]), "This is neither a file of weights nor an index of such " +
            "files: an index " +
            "is a JSON object with \"weight_map\", which gives the file of every tensor. Give the path of the model's folder, or of its " +
            "file with the weights.");
    }

    [TestMethod]
    [DataRow("model.safetensors")]
    [DataRow("pytorch_model.bin")]
    public void Open_PointerOfGitLfs_SaysHowToFetchTheWeights(string name)
    {
        using var folder = new ModelFolder().Add(name, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
        StringAssert.EndsWith(Refused<InvalidDataException>(folder.Path),
            "This is a pointer of Git LFS, not the weights themselves. Run 'git lfs pull' in its repository, or download the file.");
    }

    [TestMethod]
    public void Open_IndexThatNamesItself_IsRefused()
    {
        using var folder = new ModelFolder().Add("model.safetensors.index.json",
            """{"weight_map": {"a": "model.safetensors.index.json"}}""");
        StringAssert.Contains(Refused<InvalidDataException>(folder.Path), "This is no checkpoint of PyTorch 1.6 or later");
    }
}
