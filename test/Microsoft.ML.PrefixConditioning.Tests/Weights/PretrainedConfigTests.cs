using System.Text.Json.Nodes;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Configurations as published, and changed: every key is honored, harmless or refused by name, and an unknown one is
/// reported.</summary>
[TestClass]
public sealed class PretrainedConfigTests
{
    private static readonly string[] Changed = ["null", "true", "false", "0", "-1", "2.5", "1e400", "7777777777", "\"x\"", "\"\"", "[]",
        "[1, 2, 3]", "[224, 160]", "[[]]", "{}", "{\"a\": 1}"];

    // As transformers 4 writes them, with the keys that every configuration has.
    private const string HuggingFace = """
        {"_name_or_path": "", "architectures": ["CLIPModel"], "initializer_factor": 1.0, "logit_scale_init_value": 2.6592,
         "model_type": "clip", "projection_dim": 64, "torch_dtype": "float32", "transformers_version": null, "pruned_heads": {},
         "text_config": {"vocab_size": 512, "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 2,
           "max_position_embeddings": 16, "hidden_act": "gelu", "layer_norm_eps": 1e-05, "attention_dropout": 0.0, "dropout": 0.0,
           "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1, "model_type": "clip_text_model", "num_beams": 1,
           "id2label": {"0": "a"}},
         "vision_config": {"hidden_size": 96, "intermediate_size": 384, "num_hidden_layers": 3, "num_attention_heads": 3,
           "image_size": [32, 32], "patch_size": 8, "num_channels": 3, "hidden_act": "gelu", "layer_norm_eps": 0.00001,
           "model_type": "clip_vision_model", "initializer_range": 0.02},
         "text_config_dict": null, "vision_config_dict": null}
        """;

    private const string Images = """
        {"image_processor_type": "CLIPImageProcessor", "do_resize": true, "size": {"shortest_edge": 32}, "resample": 3,
         "do_center_crop": true, "crop_size": {"height": 32, "width": 32}, "do_rescale": true, "rescale_factor": 0.00392156862745098,
         "do_normalize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_convert_rgb": true, "data_format": "x"}
        """;

    private const string OpenClip = """
        {"model_cfg": {"embed_dim": 64, "quick_gelu": false, "custom_text": false, "init_logit_scale": 2.6,
           "vision_cfg": {"image_size": [32, 32], "layers": 3, "width": 96, "head_width": 32, "patch_size": 8, "mlp_ratio": 4.0,
             "patch_dropout": 0.5, "timm_model_name": null, "timm_pool": "avg", "qk_norm": false, "act_kwargs": {}, "pool_type": "tok"},
           "text_cfg": {"context_length": 16, "vocab_size": 512, "width": 64, "heads": 2, "layers": 3, "mlp_ratio": 4.0, "pad_id": 1,
             "hf_tokenizer_name": "openai/clip-vit-large-patch14", "tokenizer_kwargs": {"clean": "lower"}, "hf_pooler_type": "x"}},
         "preprocess_cfg": {"size": [32, 32], "mode": "RGB", "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6],
           "interpolation": "bicubic", "resize_mode": "shortest", "fill_color": 0}}
        """;

    private static readonly Dictionary<string, string> Files = new()
    {
        ["config.json"] = HuggingFace, ["preprocessor_config.json"] = Images, ["open_clip_config.json"] = OpenClip,
        ["tokenizer_config.json"] = """
            {"tokenizer_class": "CLIPTokenizer", "model_max_length": 16, "do_lower_case": true, "add_prefix_space": false,
                "errors": "replace",
             "bos_token": "<|startoftext|>", "eos_token": {"content": "<|endoftext|>", "lstrip": false}, "pad_token": "!"}
            """,
        ["processor_config.json"] = $$"""{"image_processor": {{Images}}, "processor_class": "CLIPProcessor"}""",
    };

    private static PretrainedConfig Read(string file, string content, string? beside = null, string besideContent = "")
    {
        using var folder = new ModelFolder().Add(file, content);
        if (beside is not null) folder.Add(beside, besideContent);
        return PretrainedConfig.Read(folder.Path, file == "open_clip_config.json" ? ClipLayout.OpenClip : ClipLayout.HuggingFace);
    }

    private static string Refused(string file, string content, string? beside = null, string besideContent = "") =>
        Assert.ThrowsExactly<InvalidDataException>(() => Read(file, content, beside, besideContent)).Message;

    /// <summary>A file with one key set to a JSON value.</summary>
    private static string With(string file, string place, string value)
    {
        var root = JsonNode.Parse(Files[file])!;
        var names = place.Split('.');
        var inner = names[..^1].Aggregate(root, (node, name) => node[name]!);
        inner[names[^1]] = JsonNode.Parse(value);
        return root.ToJsonString();
    }

    [TestMethod]
    [DataRow("config.json", 11)]
    [DataRow("open_clip_config.json", 11)]
    public void Read_PublishedConfiguration_KnowsAllKeys(string file, int sizes)
    {
        var config = Read(file, Files[file]);
        Assert.IsEmpty(config.Warnings);
        Assert.AreEqual((ClipActivation.Gelu, 3, 2), (config.Activation, config.VisionHeads, config.TextHeads));
        Assert.HasCount(sizes, config.Sizes);
    }

    [TestMethod]
    [DataRow("processor_config.json")]
    [DataRow("preprocessor_config.json")]
    public void Read_MeanOfOneHalfInEitherProcessorFile_IsTheModels(string file)
    {
        var config = Read(file, Files[file]);
        Assert.IsEmpty(config.Warnings);
        Assert.AreEqual(new ImageNormalization(new(0.5f, 0.5f, 0.5f), new(0.5f, 0.5f, 0.5f)), config.Normalization);
        Assert.AreEqual((nameof(ClipArchitecture.ImageSize), 32), (config.Sizes[0].Name, config.Sizes[0].Value));
    }

    [TestMethod]
    public void Read_BothProcessorFiles_MustAgree()
    {
        Assert.IsNotNull(Read("processor_config.json", Files["processor_config.json"], "preprocessor_config.json", Images).Normalization);
        var message = Refused("processor_config.json", Files["processor_config.json"], "preprocessor_config.json",
            With("preprocessor_config.json", "image_mean", "0"));
        StringAssert.Contains(message, "contradict each other: mean (0.5, 0.5, 0.5), deviation (0.5, 0.5, 0.5), crop size 32 in the " +
            "first, " +
            "mean (0, 0, 0), deviation (0.5, 0.5, 0.5), crop size 32 in the second. Remove the one that is not the model's;");
        // without settings in the newer file, the older one is the model's
        var config = Read("processor_config.json", """{"processor_class": "CLIPProcessor"}""", "preprocessor_config.json", Images);
        Assert.AreEqual(0.5f, config.Normalization!.Mean.Red);
        StringAssert.Contains(Refused("processor_config.json", Files["processor_config.json"], "preprocessor_config.json",
            With("preprocessor_config.json", "resample", "2")), "preprocessor_config.json' cannot be used: \"resample\" is 2");
    }

    [TestMethod]
    public void Read_OnlyTheMean_LeavesClipsDeviation()
    {
        var config = Read("open_clip_config.json", With("open_clip_config.json", "preprocess_cfg", """{"mean": 0.5}"""));
        Assert.AreEqual(new ImageNormalization(new(0.5f, 0.5f, 0.5f), ImageNormalization.Clip.StandardDeviation), config.Normalization);
    }

    [TestMethod]
    [DataRow("config.json", "quantization_config", """{"bits": 4}""", "only null is.")]
    [DataRow("config.json", "vision_config.num_channels", "4", "only 3 is.")]
    [DataRow("config.json", "text_config.eos_token_id", "7", "511 is expected, the vocabulary's last token, or 2, as in older files.")]
    [DataRow("config.json", "text_config.hidden_act", "\"quick_gelu\"", "the vision tower's activation is Gelu, the text tower's " +
        "QuickGelu; the towers here share one.")]
    [DataRow("config.json", "vision_config.image_size", "[224, 160]", "images and patches here are squares: one whole number is " +
        "expected, or two equal ones.")]
    [DataRow("config.json", "text_config.num_attention_heads", "\"2\"", "a whole number is expected.")]
    [DataRow("config.json", "text_config.num_attention_heads", "0", "at least 1 is expected.")]
    [DataRow("config.json", "text_config", "[]", "an object is expected.")]
    [DataRow("preprocessor_config.json", "resample", "2", "only 3 is.")]
    [DataRow("preprocessor_config.json", "rescale_factor", "0.0078", "only 0.00392156862745098 is.")]
    [DataRow("preprocessor_config.json", "image_processor_type", "\"SiglipImageProcessor\"", "only CLIPImageProcessor or " +
        "CLIPImageProcessorFast or")]
    [DataRow("preprocessor_config.json", "crop_size", """{"height": 32, "width": 16}""", "images and patches here are squares")]
    [DataRow("processor_config.json", "image_processor.do_center_crop", "false", "only true is.")]
    [DataRow("open_clip_config.json", "preprocess_cfg.resize_mode", "\"squash\"", "only shortest is. Where the file is wrong, correct " +
        "it there; otherwise this model cannot be loaded.")]
    [DataRow("open_clip_config.json", "preprocess_cfg.interpolation", "\"bilinear\"", "only bicubic is.")]
    [DataRow("open_clip_config.json", "model_cfg.vision_cfg.image_size", "[224, 160]", "images and patches here are squares")]
    [DataRow("open_clip_config.json", "model_cfg.vision_cfg.qk_norm", "true", "only false is.")]
    [DataRow("open_clip_config.json", "model_cfg.quick_gelu", "\"yes\"", "true or false is expected.")]
    [DataRow("open_clip_config.json", "model_cfg.text_cfg.hf_tokenizer_name", "\"bert-base-uncased\"", "only CLIP's own tokenizer is " +
        "supported, as in \"openai/clip-vit-base-patch32\".")]
    [DataRow("open_clip_config.json", "model_cfg.text_cfg.tokenizer_kwargs.clean", "\"canonicalize\"", "only lower is.")]
    [DataRow("open_clip_config.json", "model_cfg.text_cfg.text_arch", "\"modern\"", "only clip is.")]
    [DataRow("open_clip_config.json", "model_cfg.text_cfg.mlp_ratio", "\"4\"", "a number is expected.")]
    [DataRow("open_clip_config.json", "model_cfg.text_cfg.hf_tokenizer_name", "1", "a text is expected.")]
    public void Read_SettingThatTheTowersDoNotHave_IsRefusedByName(string file, string place, string value, string expected)
    {
        var message = Refused(file, With(file, place, value));
        StringAssert.Contains(message, $"{file}' cannot be used: \"{place}\" is ");
        StringAssert.Contains(message, expected);
    }

    [TestMethod]
    public void Read_ConfigDictOfOlderFiles_ReplacesTheTowersSettings()
    {
        // transformers takes all of a tower's settings from it then, the default of "hidden_act" included
        var text = With("config.json", "text_config_dict", """{"num_attention_heads": 4}""");
        StringAssert.Contains(Refused("config.json", text), "the vision tower's activation is Gelu, the text tower's QuickGelu; the " +
            "towers here share one.");
        var both = JsonNode.Parse(text)!;
        both["vision_config_dict"] = new JsonObject();
        var config = Read("config.json", both.ToJsonString());
        Assert.AreEqual((ClipActivation.QuickGelu, 4, 12), (config.Activation, config.TextHeads, config.VisionHeads));
    }

    [TestMethod]
    public void Read_UnknownKeys_AreReportedOnce()
    {
        var config = Read("config.json", With("config.json", "vision_config.new\nnorm", "true"));
        Assert.AreEqual(ClipActivation.Gelu, config.Activation);
        StringAssert.EndsWith(config.Warnings.Single(), "config.json' has settings that are not known and were ignored: " +
            "\"vision_config.new\\nnorm\". If one of them changes what the model computes, its embeddings are not the published ones.");
        Assert.IsEmpty(Read("config.json", With("config.json", "another", "null")).Warnings);
    }

    [TestMethod]
    public void Read_ByteOrderMark_IsNoFault() => Assert.AreEqual(3, Read("config.json", "\uFEFF" + HuggingFace).VisionHeads);

    [TestMethod]
    [DataRow("\"\\ud800\"")]
    [DataRow("{\"\\ud800\": 1}")]
    public void Read_HalfASurrogatePair_IsNoJson(string value) =>
        StringAssert.Contains(Refused("config.json", $"{{\"x\": {value}}}"), "config.json' cannot be used: it is not a JSON object.");

    /// <summary>Each key of each file is left out and given other types; what is refused names the file and the key.</summary>
    [TestMethod]
    public void Read_EveryKeyChangedInTurn_IsReadOrRefusedByName()
    {
        var (read, refused, vague) = (0, 0, new List<string>());
        foreach (var (file, content) in Files)
            foreach (var place in Places(JsonNode.Parse(content)!.AsObject(), ""))
                foreach (var value in Changed.Prepend(""))
                {
                    // a size or a token is named as a whole
                    var name = place.Split('.').FirstOrDefault(n => n is "crop_size" or "size" or "eos_token") ?? place.Split('.')[^1];
                    try
                    {
                        var text = value.Length == 0 ? Without(file, place) : Raw(file, place, value);
                        if (file == "tokenizer_config.json") CheckTokenizer(text);
                        else Read(file, text);
                        read++;
                    }
                    catch (InvalidDataException e)
                    {
                        // the other side of a comparison; without "model_cfg" its keys may be the file's
                        var other = name == "vocab_size" ? "eos_token_id" : name == "model_cfg" ? "vision_cfg"
                            : name.Contains("_config", StringComparison.Ordinal) ? "hidden_act" : name;
                        if (!e.Message.Contains(file, StringComparison.Ordinal)
                            || e.Message.Contains("dictionary", StringComparison.Ordinal)
                            || !e.Message.Contains(name, StringComparison.Ordinal) && !e.Message.Contains(other, StringComparison.Ordinal))
                            vague.Add($"{place}: {value}: {e.Message}");
                        refused++;
                    }
                }
        Assert.IsEmpty(vague, string.Join('\n', vague));
        Assert.IsGreaterThan(500, read);
        Assert.IsGreaterThan(500, refused);
    }

    /// <summary>The same with weights, which sizes are compared with.</summary>
    [TestMethod]
    public void Open_EveryKeyChangedInTurn_IsReadOrRefusedWithTheFile()
    {
        var weights = ModelFolder.HuggingFaceWeights();
        using var folder = new ModelFolder().Add("model.safetensors", weights);
        var refused = 0;
        foreach (var place in Places(JsonNode.Parse(HuggingFace)!.AsObject(), ""))
            foreach (var value in new[] { "5", "7777777777", "null" })
                try
                {
                    folder.Add("config.json", Raw("config.json", place, value));
                    PretrainedClip.Open(folder.Path, new PretrainedWishes()).Dispose();
                }
                catch (Exception e) when (e is InvalidDataException or ArgumentException)
                {
                    Assert.Contains("config.json", e.Message, $"{place}: {value}");
                    refused++;
                }
        Assert.IsGreaterThan(30, refused);
    }

    private static void CheckTokenizer(string content)
    {
        using var folder = new ModelFolder().Add("tokenizer_config.json", content);
        PretrainedConfig.CheckTokenizer(folder.Path, contextLength: 16);
    }

    private static IEnumerable<string> Places(JsonObject node, string prefix) => node.SelectMany(p => p.Value is JsonObject inner
        ? Places(inner, $"{prefix}{p.Key}.").Prepend(prefix + p.Key) : [prefix + p.Key]);

    private static string Without(string file, string place)
    {
        var root = JsonNode.Parse(Files[file])!;
        var names = place.Split('.');
        names[..^1].Aggregate(root, (node, name) => node[name]!).AsObject().Remove(names[^1]);
        return root.ToJsonString();
    }

    /// <summary>Numbers that a node cannot hold stand in the text.</summary>
    private static string Raw(string file, string place, string value) =>
        With(file, place, "\"@@@\"").Replace("\"@@@\"", value, StringComparison.Ordinal);
}
