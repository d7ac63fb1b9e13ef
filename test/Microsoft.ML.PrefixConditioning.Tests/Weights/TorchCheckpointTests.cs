using System.IO.Compression;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Checkpoints that PyTorch wrote, and hostile ones: a pickle is read as data or refused by name.</summary>
[TestClass]
public sealed class TorchCheckpointTests
{
    private static readonly byte[] Four = [0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64];   // 1, 2, 3, 4

    private static readonly Dictionary<string, (Func<byte[]> File, string Fault)> Faulty = new()
    {
        ["nothing"] = (() => [], "This is no checkpoint of PyTorch 1.6 or later"),
        ["other file"] = (() => "hello world"u8.ToArray(),
            "This is no checkpoint of PyTorch 1.6 or later, which is a ZIP archive, and no safetensors file. Give the path of a model's " +
            "weights."),
        ["legacy format"] = (() =>
            Bytes("legacy.pt"), "This is no checkpoint of PyTorch 1.6 or later, which is a ZIP archive, but probably an older one, a " +
            "bare pickle. Save it again with a newer PyTorch: torch.save(torch.load(path, 'cpu'), other)."),
        ["os.system by PyTorch"] = (() =>
            Bytes("hostile_os_system.pt"),
            "names 'posix.system', which is not among the few names that are read (tensors and OrderedDict). Nothing of it was executed."),
        ["whole module"] = (() => Bytes("whole_module.pt"), "names 'torch.nn.modules.linear.Linear'"),
        ["module inside itself"] = (() => Module().Op("q").Raw(0).Op("}").Text("a").Op("h").Raw(0).Op("sb.").Archive(),
            "The program has more than 50000 attributes, or more than 32 modules inside one another."),
        ["modules that double"] = (() => Doubling(new TorchZip(), 24).Op(".").Archive(), "The program has more than 50000 attributes"),
        ["module with arguments"] = (() => new TorchZip().Name("__torch__", "Model").Text("a").Raw(0x85, 0x81).Op(".").Archive(),
            "uses the opcode 0x81 (NEWOBJ)"),
        ["module that is called"] = (() => new TorchZip().Name("__torch__.os", "system").Text("true").Raw(0x85).Op("R.").Archive(),
            "'__torch__.os.system' is called with arguments that it never has"),
        ["attributes twice"] = (() => Module().Op("}").Text("a").Op("Nsb}").Text("b").Op("Nsb.").Archive(),
            "a module's attributes are no dictionary, or are set twice."),
        ["os.system"] = (() => new TorchZip().Name("os", "system").Text("true").Raw(0x85).Op("R.").Archive(), "names 'os.system'"),
        ["builtins.eval"] = (() => new TorchZip().Name("builtins", "eval").Text("1").Raw(0x85).Op("R.").Archive(), "names 'builtins.eval'"),
        ["torch.load"] = (() => new TorchZip().Name("torch", "load").Text("1").Raw(0x85).Op("R.").Archive(), "names 'torch.load'"),
        ["other rebuild function"] = (() =>
            new TorchZip().Name("torch._utils", "_rebuild_device_tensor_from_numpy").Op(".").Archive(),
            "names 'torch._utils._rebuild_device_tensor_from_numpy'"),
        ["new object"] = (() => new TorchZip().Name("collections", "OrderedDict").Op(")").Raw(0x81).Op(".").Archive(),
            "uses the opcode 0x81 (NEWOBJ) at byte 28"),
        ["instance"] = (() => new TorchZip().Op("(ios\nsystem\n.").Archive(), "uses the opcode 0x69 (INST)"),
        ["global of the stack"] = (() =>
            new TorchZip().Text("os").Text("system").Raw(0x93).Op(".").Archive(), "uses the opcode 0x93 (STACK_GLOBAL)"),
        ["extension"] = (() => new TorchZip().Raw(0x82, 1).Op(".").Archive(), "uses the opcode 0x82 (EXT)"),
        ["protocol 4"] = (() => TorchZip.Archive([0x80, 4, (byte)'}', (byte)'.'], new Dictionary<string, byte[]>()),
            "it is of protocol 4; protocol 2 is read"),
        ["no end"] = (() => new TorchZip().Op("}").Archive(), "it ends early."),
        ["long text"] = (() => new TorchZip().Op("X").Raw(255, 255, 255, 127).Archive(),
            "a text of 2147483647 bytes is promised, and 0 follow."),
        ["value that is not there"] = (() => new TorchZip().Op("R.").Archive(), "a value is used that is not there."),
        ["mark that is not there"] = (() => new TorchZip().Op("t.").Archive(), "a list of values has no beginning."),
        ["value that was never stored"] = (() =>
            new TorchZip().Op("h").Raw(7).Op(".").Archive(), "value 7 is recalled, and was never stored."),
        ["call of a storage"] = (() =>
            new TorchZip().Name("torch", "FloatStorage").Op(")R.").Archive(),
            "'torch.FloatStorage' is called with arguments that it never has"),
        ["call of a text"] = (() => new TorchZip().Text("a").Op(")R.").Archive(), "something that is no function is called."),
        ["attributes of a list"] = (() => new TorchZip().Op("]}b.").Archive(), "attributes are set on something that is no dictionary."),
        ["name twice"] = (() => new TorchZip().Op("}(").Text("a").Op("N").Text("a").Op("Nu.").Archive(),
            "a dictionary has the key 'a' twice."),
        ["big integer"] = (() => new TorchZip().Raw(0x8A, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9).Op(".").Archive(),
            "it holds an integer of 9 bytes; at most 8 are read."),
        ["no dictionary"] = (() => new TorchZip().Op("].").Archive(), "The checkpoint holds no dictionary; expected a state dictionary"),
        ["no tensor"] = (() => new TorchZip().Op("}").Text("a").Op("K").Raw(1).Op("s.").Archive(),
            "The checkpoint's 'a' is no tensor; expected a dictionary of tensors, or one that has such a dictionary under \"state_dict\" " +
            "or \"model_state_dict\" or \"model\" or \"module\". If it is under another name, save it alone: torch.save(torch.load(path, " +
            "'cpu')['NAME'], other)."),
        ["several state dictionaries"] = (() =>
            new TorchZip().Op("}(").Text("model").Op("}(").Tensors([new("a",
            zeros(1))]).Op("u").Text("state_dict").Op("}(").Tensors([new("a", zeros(1))]).Op("uu.").Archive(),
            "The checkpoint holds several state dictionaries: \"state_dict\" or \"model\". Save the wanted one alone: " +
            "torch.save(torch.load(path, 'cpu')['state_dict'], other)."),
        ["dictionary inside itself"] = (() =>
            new TorchZip().Op("}q").Raw(0).Text("model").Op("h").Raw(0).Op("s.").Archive(), "The checkpoint's 'model' is no tensor"),
        ["control characters in a name"] = (() =>
            new TorchZip().Op("}").Text("a\r\nb").Op("K").Raw(1).Op("s.").Archive(), "The checkpoint's 'a??b' is no tensor"),
        ["no values"] = (() => One(4, 0, [4], [1]).Archive(), "The values of tensor 'a' are missing: the archive has no 'data/0'."),
        ["values of another length"] = (() =>
            One(5, 0, [4], [1]).Storage("0", Four).Archive(),
            "'data/0' has 16 bytes, 16 in the archive; tensor 'a' needs 5 values of 4 bytes"),
        ["beyond the storage"] = (() =>
            One(4, 1, [4], [1]).Storage("0", Four).Archive(), "a tensor [4] reaches beyond the 4 values of its storage '0'."),
        ["stride beyond the storage"] = (() =>
            One(4, 0, [2, 2], [3, 2]).Storage("0", Four).Archive(), "a tensor [2, 2] reaches beyond the 4 values of its storage '0'."),
        ["one value as many"] = (() =>
            One(4, 0, [1000000, 1000000], [0, 0]).Storage("0", Four).Archive(), "a tensor [1000000, 1000000] reaches beyond"),
        ["more than can be counted"] = (() =>
            One(4, 0, [long.MaxValue, 4], [1, 1]).Storage("0", Four).Archive(), "has more values than can be counted."),
        ["negative size"] = (() => One(4, 0, [-4], [1]).Storage("0", Four).Archive(), "a tensor has 1 sizes and 1 strides from value 0"),
        ["negative stride"] = (() => One(4, 0, [4], [-1]).Storage("0", Four).Archive(), "sizes and strides are as many, 0 or more"),
        ["path for a storage"] = (() =>
            new TorchZip().Op("}").Text("a").Tensor("../x", "FloatStorage", 4, 0, [4], [1]).Op("s.").Archive(),
            "a storage is called '../x'; names of storages are numbers."),
        ["complex numbers"] = (() =>
            new TorchZip().Op("}").Text("a").Tensor("0", "ComplexFloatStorage", 4, 0, [4], [1]).Op("s.").Archive(),
            "names 'torch.ComplexFloatStorage'"),
        ["no pickle"] = (() => WithoutPickle(), "The archive holds no 'data.pkl'"),
        ["ZIP bomb"] = (() => One(4 << 20, 0, [4 << 20], [1]).Storage("0", new byte[16 << 20]).Archive(CompressionLevel.Fastest),
            "PyTorch compresses nothing."),
        ["shared memory"] = (() => Shared(), "they share memory, which no CLIP model's do."),
    };

    public static IEnumerable<string> FaultyCases => Faulty.Keys;

    private static byte[] Bytes(string name) => File.ReadAllBytes(Golden.Path("pretrained", name));

    private static TorchZip One(long count, long offset, long[] shape, long[] strides) =>
        new TorchZip().Op("}").Text("a").Tensor("0", "FloatStorage", count, offset, shape, strides).Op("s.");

    private static TorchZip Module() => new TorchZip().Name("__torch__.a", "Model").Op(")").Raw(0x81);

    /// <summary>A module that has one module twice, which has one module twice, and so on.</summary>
    private static TorchZip Doubling(TorchZip zip, byte level)
    {
        zip.Name("__torch__.a", "Model").Op(")").Raw(0x81).Op("}");
        if (level > 0) Doubling(zip.Text("a"), (byte)(level - 1)).Op("s").Text("b").Op("h").Raw((byte)(level - 1)).Op("s");
        return zip.Op("bq").Raw(level);
    }

    private static byte[] WithoutPickle()
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true)) zip.CreateEntry("archive/version");
        return stream.ToArray();
    }

    private static byte[] Shared()
    {
        var zip = new TorchZip().Op("}(");
        for (var i = 0; i < 100; i++) zip.Text($"t{i}").Tensor("0", "FloatStorage", 4096, 0, [4096], [1]);
        return zip.Op("u.").Storage("0", new byte[16384]).Archive();
    }

    [TestMethod]
    [DynamicData(nameof(FaultyCases))]
    public void Constructor_FaultyFile_SaysWhatIsWrong(string fault)
    {
        var file = Faulty[fault].File();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.ThrowsExactly<InvalidDataException>(() => TorchCheckpoint.Open(new MemoryStream(file)));
        StringAssert.Contains(error.Message, Faulty[fault].Fault);
        Assert.IsLessThan(4L << 20, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    [DataRow("state_dict", 11, "")]
    [DataRow("training", 2, "module.")]   // as torch.nn.DataParallel names them
    public void Read_CheckpointOfPyTorch_GivesItsValues(string name, int count, string prefix)
    {
        using var scope = NewDisposeScope();
        var expected = Safetensors.Load(Golden.Path("pretrained", $"{name}.safetensors"));
        using var checkpoint = TorchCheckpoint.Open(File.OpenRead(Golden.Path("pretrained", $"{name}.pt")));
        Assert.HasCount(count, checkpoint.Entries);
        foreach (var (plain, values) in expected)
        {
            var tensor = prefix + plain;
            CollectionAssert.AreEqual(values.shape, checkpoint.Entries[tensor].Shape, tensor);
            var read = full(values.shape, 7f);
            checkpoint.Entries[tensor].Read(read);
            if (values.numel() > 0) TinyGolden.AreClose(values, read, 0, tensor);
        }
    }

    [TestMethod]
    public void Read_TorchScriptProgram_GivesItsParameters()
    {
        using var scope = NewDisposeScope();
        var expected = Safetensors.Load(Golden.Path("pretrained", "openai_script.safetensors"));
        using var program = TorchCheckpoint.Open(File.OpenRead(Golden.Path("pretrained", "openai_script.pt")));
        CollectionAssert.IsSubsetOf(expected.Keys, program.Entries.Keys.ToArray());
        foreach (var (name, values) in expected)
        {
            CollectionAssert.AreEqual(values.shape, program.Entries[name].Shape, name);
            var read = full(values.shape, 7f);
            program.Entries[name].Read(read);
            TinyGolden.AreClose(values, read, 0, name);
        }
        var others = program.Entries.Keys.Where(n => !expected.ContainsKey(n)).Order(StringComparer.Ordinal);
        Assert.AreEqual("context_length input_resolution vocab_size", string.Join(' ', others));
    }

    [TestMethod]
    public void Load_TorchScriptProgram_IsOpenAIsModel()
    {
        using var pretrained = PretrainedClip.Open(Golden.Path("pretrained", "openai_script.pt"),
            new PretrainedWishes { VisionHeads = 2, TextHeads = 2 });
        Assert.AreEqual(new ClipArchitecture
        {
            ImageSize = 16, PatchSize = 8, VisionWidth = 16, VisionLayers = 1, VisionHeads = 2, ContextLength = 8, TextWidth = 16,
            TextLayers = 1, TextHeads = 2, EmbeddingSize = 16, Activation = ClipActivation.QuickGelu,
        }, pretrained.Architecture);
        using var model = ClipModel.CreateUnset(pretrained.FileShape, CPU);
        pretrained.ReadInto(model, pretrained.Prefixes.DatasetTypes, seed: 1);
        TinyGolden.AreClose(tensor(2.5f), model.LogitScale, 0, "logit scale");
    }

    [TestMethod]
    public void Read_IntegerTensor_SaysThatWeightsAreFloatingPoint()
    {
        using var scope = NewDisposeScope();
        using var checkpoint = TorchCheckpoint.Open(File.OpenRead(Golden.Path("pretrained", "state_dict.pt")));
        var error = Assert.ThrowsExactly<InvalidDataException>(() => checkpoint.Entries["i64"].Read(zeros(3)));
        Assert.AreEqual("Tensor 'i64' is of type Int64; weights are floating-point numbers (F64, F32, F16 or BF16).", error.Message);
    }

    [TestMethod]
    public void Constructor_TruncatedAnywhere_IsRefused()
    {
        var file = Bytes("state_dict.pt");
        for (var length = 0; length < file.Length; length += 13)
            Assert.ThrowsExactly<InvalidDataException>(() => TorchCheckpoint.Open(new MemoryStream(file[..length])), $"{length} bytes");
    }

    [TestMethod]
    [DataRow("state_dict")]   // open_clip and Lightning
    [DataRow("model_state_dict")]
    [DataRow("model")]
    [DataRow("module")]   // DeepSpeed
    [DataRow("state_dict/model")]
    public void Constructor_StateBesideAnOptimizer_IsFound(string path)
    {
        using var scope = NewDisposeScope();
        var zip = new TorchZip();
        var names = path.Split('/');
        foreach (var name in names) zip.Op("}(").Text("optimizer").Op("}(").Int(0).Text("x").Op("u").Text(name);
        zip.Op("}(").Tensors([new("a", ones(2))]).Op("u");
        foreach (var _ in names) zip.Op("u");
        using var checkpoint = TorchCheckpoint.Open(new MemoryStream(zip.Op(".").Archive()));
        Assert.AreEqual("a", checkpoint.Entries.Keys.Single());
    }

    [TestMethod]
    public void Constructor_ArgumentsAndScoresOfATrainingTool_AreSkipped()
    {
        using var scope = NewDisposeScope();
        var zip = new TorchZip().Op("}(")
            .Text("args").Name("argparse", "Namespace").Op(")").Raw(0x81).Op("}(").Text("lr").Int(1).Op("ub")
            .Text("folder").Name("pathlib", "PosixPath").Text("runs").Raw(0x85).Op("R")
            .Text("shapes").Name("torch", "Size").Op("(").Int(2).Op("t").Raw(0x85).Op("R")
            .Text("counts").Name("collections", "defaultdict").Name("__builtin__", "set").Raw(0x85).Op("R(").Text("x").Int(1).Op("u")
            .Text("type").Name("torch", "float32")
            .Text("model").Op("}(").Tensors([new("a", ones(2))]).Op("uu.");
        using var checkpoint = TorchCheckpoint.Open(new MemoryStream(zip.Archive()));
        Assert.AreEqual("a", checkpoint.Entries.Keys.Single());
    }

    [TestMethod]
    public void Constructor_SkippedValueAmongTheWeights_IsNoTensor()
    {
        var zip = new TorchZip().Op("}").Text("a").Name("argparse", "Namespace").Op(")").Raw(0x81).Op("s.");
        var error = Assert.ThrowsExactly<InvalidDataException>(() => TorchCheckpoint.Open(new MemoryStream(zip.Archive())));
        StringAssert.StartsWith(error.Message, "The checkpoint's 'a' is no tensor;");
    }
}
