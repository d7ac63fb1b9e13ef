using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The reference's tiny model in every layout and format against its outputs. Tolerance 1e-5 as test/golden states.</summary>
[TestClass]
public sealed class PretrainedClipTests
{
    private static void EqualsReference(string path, string name = "gelu", PretrainedWishes? wishes = null, double tolerance = 1e-5)
    {
        using var scope = NewDisposeScope();
        using var model = Load(path, wishes);
        var inputs = TinyGolden.Tensors("clip_vit_tiny", "inputs.safetensors");
        var expected = TinyGolden.Tensors("clip_vit_tiny", $"outputs_{name}.safetensors");
        TinyGolden.AreClose(expected["image_features_raw"], model.Vision.Forward(inputs["images"], null), tolerance, "image features");
        TinyGolden.AreClose(expected["text_features_raw"], model.Text.Forward(inputs["tokens"], null), tolerance, "text features");
        TinyGolden.AreClose(expected["logit_scale_exp"], model.LogitScale.exp(), tolerance * 100, "logit scale");
    }

    private static ClipModel Load(string path, PretrainedWishes? wishes = null)
    {
        using var pretrained = PretrainedClip.Open(path, wishes ?? new PretrainedWishes());
        var model = ClipModel.CreateUnset(pretrained.FileShape with { Architecture = pretrained.Architecture }, CPU);
        try
        {
            pretrained.ReadInto(model, pretrained.Prefixes.DatasetTypes, seed: 1);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static T Fails<T>(ModelFolder folder, PretrainedWishes? wishes = null) where T : Exception
    {
        var before = LiveTensors.Count();
        var error = Assert.ThrowsExactly<T>(() => Load(folder.Path, wishes));
        Assert.AreEqual(before, LiveTensors.Count());
        return error;
    }

    [TestMethod]
    public void ReadInto_ModelWithOneMoreLayer_NamesTheMissingWeight()
    {
        using var folder = new ModelFolder().Add("open_clip_model.safetensors", ModelFolder.OpenClipWeights()).AddOpenClipConfig();
        using var pretrained = PretrainedClip.Open(folder.Path, new PretrainedWishes());
        var layers = pretrained.FileShape.Architecture.TextLayers;
        var shape = pretrained.FileShape with { Architecture = pretrained.FileShape.Architecture with { TextLayers = layers + 1 } };
        using var model = ClipModel.CreateUnset(shape, CPU);
        Assert.EndsWith($": the weight 'transformer.resblocks.{layers}.ln_1.weight' is missing. The file belongs to another architecture.",
            Assert.ThrowsExactly<InvalidDataException>(() => pretrained.ReadInto(model, pretrained.Prefixes.DatasetTypes, 1)).Message);
    }

    [TestMethod]
    public void ReadInto_OpenClipLayout_EqualsReference()
    {
        using var folder = new ModelFolder().Add("open_clip_model.safetensors", ModelFolder.OpenClipWeights()).AddOpenClipConfig();
        EqualsReference(folder.Path);
        EqualsReference(folder["open_clip_model.safetensors"]);
    }

    [TestMethod]
    public void ReadInto_HuggingFaceLayout_EqualsReference()
    {
        using var folder = new ModelFolder().Add("model.safetensors", ModelFolder.HuggingFaceWeights()).AddHuggingFaceConfig();
        EqualsReference(folder.Path);
    }

    [TestMethod]
    public void ReadInto_QuickGeluOfEitherConfiguration_EqualsReference()
    {
        using var openClip = new ModelFolder().Add("a.safetensors", ModelFolder.OpenClipWeights()).AddOpenClipConfig(
            "\"quick_gelu\": false", "\"quick_gelu\": true");
        EqualsReference(openClip.Path, "quickgelu");
        using var huggingFace = new ModelFolder().Add("model.safetensors", ModelFolder.HuggingFaceWeights()).AddHuggingFaceConfig(
            "\"gelu\"", "\"quick_gelu\"");
        EqualsReference(huggingFace.Path, "quickgelu");
        using var unsaid = new ModelFolder().Add("model.safetensors", ModelFolder.HuggingFaceWeights()).AddHuggingFaceConfig(
            "\"hidden_act\": \"gelu\",", "");
        EqualsReference(unsaid.Path, "quickgelu");   // the default there
    }

    [TestMethod]
    public void ReadInto_ShardedHuggingFaceLayout_EqualsReference()
    {
        using var scope = NewDisposeScope();
        var all = Safetensors.Read(new MemoryStream(ModelFolder.HuggingFaceWeights()));
        using var folder = new ModelFolder().AddHuggingFaceConfig();
        var map = all.Keys.ToDictionary(n => n, n => n.Contains("vision", StringComparison.Ordinal) ? "model-00001-of-00002.safetensors"
            : "model-00002-of-00002.safetensors");
        foreach (var shard in map.Values.Distinct()) folder.Add(shard, ModelFolder.Bytes(all.Where(t => map[t.Key] == shard)));
        folder.Add("model.safetensors.index.json", System.Text.Json.JsonSerializer.Serialize(new { weight_map = map }));
        EqualsReference(folder.Path);
    }

    [TestMethod]
    public void ReadInto_TrainingCheckpointOfPyTorch_EqualsReference()
    {
        using var scope = NewDisposeScope();
        var all = TinyGolden.Tensors("clip_vit_tiny", "model_open_clip.safetensors").Select(t => KeyValuePair.Create($"module.{t.Key}",
            t.Value));
        var checkpoint = new TorchZip().Op("}(").Text("epoch").Int(3).Text("state_dict").Op("}(").Tensors(all).Op("u").Text("name").Text(
            "run").Op("u.").Archive();
        using var folder = new ModelFolder().Add("epoch_3.pt", checkpoint).AddOpenClipConfig();
        EqualsReference(folder.Path);
    }

    [TestMethod]
    public void ReadInto_OpenAIStateDictionaryOfHalfPrecision_IsQuickGeluAndNearReference()
    {
        using var scope = NewDisposeScope();
        var all = TinyGolden.Tensors("clip_vit_tiny", "model_open_clip.safetensors").Select(t => KeyValuePair.Create(t.Key,
            t.Value.to_type(ScalarType.Float16)));
        KeyValuePair<string, Tensor>[] notes = [new("input_resolution", tensor(32L)), new("context_length", tensor(16L)), new("vocab_size",
            tensor(512L))];
        using var folder = new ModelFolder().Add("ViT.pt", TorchZip.Of(all.Concat(notes)));
        // Half precision keeps 11 bits; outputs are near 1.
        EqualsReference(folder.Path, "quickgelu", new PretrainedWishes { VisionHeads = 3, TextHeads = 2 }, tolerance: 1e-2);
    }

    [TestMethod]
    [DataRow(ScalarType.Float16)]
    [DataRow(ScalarType.BFloat16)]
    public void ReadInto_HalfPrecision_IsTheExactValueInFp32(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var all = Safetensors.Read(new MemoryStream(ModelFolder.HuggingFaceWeights())).ToDictionary(t => t.Key, t =>
            t.Value.is_floating_point() ? t.Value.to_type(type) : t.Value);
        using var folder = new ModelFolder().Add("model.safetensors", ModelFolder.Bytes(all)).AddHuggingFaceConfig();
        using var model = Load(folder.Path);
        var weights = model.Weights.ToDictionary(w => w.Key, w => w.Value);
        TinyGolden.AreClose(all["visual_projection.weight"].to_type(ScalarType.Float32).transpose(0, 1), weights["visual.proj"], 0,
            "transposed");
        TinyGolden.AreClose(all["text_model.encoder.layers.1.self_attn.k_proj.weight"].to_type(ScalarType.Float32),
            weights["transformer.resblocks.1.attn.in_proj_weight"].narrow(0, 64, 64), 0, "packed");
    }

    [TestMethod]
    public void ReadInto_OtherImageSize_InterpolatesPositionsAndEncodes()
    {
        using var scope = NewDisposeScope();
        using var folder = new ModelFolder().Add("a.safetensors", ModelFolder.OpenClipWeights()).AddOpenClipConfig();
        using var model = Load(folder.Path, new PretrainedWishes { ImageSize = 48 });
        var file = TinyGolden.Tensors("clip_vit_tiny", "model_open_clip.safetensors");
        TinyGolden.AreClose(PositionGrid.Resize(file["visual.positional_embedding"], 6), model.Weights.Single(w =>
            w.Key == "visual.positional_embedding").Value, 0, "positions");
        DataTestRows.Equal<long>([2, 64], model.EncodeImages(zeros(2, 3, 48, 48), null).shape);
        StringAssert.Contains(Fails<ArgumentException>(folder, new PretrainedWishes { ImageSize = 49 }).Message,
            "ImageSize is 49 and PatchSize 8; the image size must be a multiple of the patch size.");
    }

    [TestMethod]
    public void ReadInto_MeanAndDeviationOfTheConfiguration_AreKept()
    {
        using var folder = new ModelFolder().Add("model.safetensors", ModelFolder.HuggingFaceWeights()).AddHuggingFaceConfig();
        ImageNormalization Read()
        {
            using var pretrained = PretrainedClip.Open(folder.Path, new PretrainedWishes());
            return pretrained.Normalization;
        }
        Assert.AreEqual(ImageNormalization.Clip, Read());
        folder.Add("preprocessor_config.json", """
            {"image_mean": [0.5, 0.25, 0.125], "image_std": [1, 2, 3], "crop_size": {"height": 32, "width": 32},
                "size": {"shortest_edge": 32}, "resample": 3}
            """);
        Assert.AreEqual(new ImageNormalization(new(0.5f, 0.25f, 0.125f), new(1, 2, 3)), Read());
        File.Delete(folder["model.safetensors"]);
        folder.Add("a.safetensors", ModelFolder.OpenClipWeights());
        File.Delete(folder["preprocessor_config.json"]);
        var model = File.ReadAllText(Golden.Path("clip_vit_tiny", "config_open_clip.json"));
        folder.Add("open_clip_config.json", $"{{\"model_cfg\": {model}, \"preprocess_cfg\": {{\"mean\": [0.1, 0.2, 0.3], \"std\": [0.4, " +
            $"0.5, 0.6]}}}}");
        Assert.AreEqual(new ImageNormalization(new(0.1f, 0.2f, 0.3f), new(0.4f, 0.5f, 0.6f)), Read());
    }

    [TestMethod]
    [DataRow("\"patch_size\": 8", "\"patch_size\": 4", "gives PatchSize 4, the shapes of the weights give 8.")]
    [DataRow("\"intermediate_size\": 256", "\"intermediate_size\": 128", "gives the text tower's hidden layer 128, the shapes of the " +
        "weights give 256.")]
    [DataRow("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"relu\"", "config.json' cannot be used: \"vision_config.hidden_act\" is " +
        "\"relu\"; \"gelu\" and \"quick_gelu\" are supported.")]
    [DataRow("1e-05 },", "1e-06 },", "\"text_config.layer_norm_eps\" is 1e-06, which is not supported; only 1e-05 is.")]
    [DataRow("\"vision_config\"", "\"vision\"", "config.json' cannot be used: it has no \"vision_config\". It is of another kind of " +
        "model, or incomplete: take the file that was published with the weights.")]
    [DataRow("\"model_type\": \"clip\"", "\"model_type\": \"siglip\"", "\"model_type\" is \"siglip\", which is not supported; only clip " +
        "is.")]
    [DataRow("{", "[", "config.json' cannot be used: it is not a JSON object (line 2). Download it again, or correct it.")]
    public void Open_HuggingFaceConfigurationThatDoesNotFit_SaysWhat(string text, string replacement, string expected)
    {
        using var folder = new ModelFolder().Add("model.safetensors", ModelFolder.HuggingFaceWeights()).AddHuggingFaceConfig(text,
            replacement);
        StringAssert.Contains(Fails<InvalidDataException>(folder).Message, expected);
    }

    [TestMethod]
    [DataRow("\"layers\": 3,\n  \"mlp_ratio\"", "\"layers\": 4,\n  \"mlp_ratio\"", "gives TextLayers 4, the shapes of the weights give 3.")]
    [DataRow("\"patch_size\": 8", "\"patch_size\": 8, \"timm_model_name\": \"vit\"", "\"vision_cfg.timm_model_name\" is \"vit\", which " +
        "is not supported; only null is.")]
    [DataRow("\"patch_size\": 8", "\"patch_size\": 8, \"pool_type\": \"avg\"", "\"vision_cfg.pool_type\" is \"avg\", which is not " +
        "supported; only tok is.")]
    [DataRow("\"patch_size\": 8", "\"patch_size\": 8, \"no_ln_pre\": true", "\"vision_cfg.no_ln_pre\" is true, which is not supported; " +
        "only false is.")]
    public void Open_OpenClipConfigurationThatDoesNotFit_SaysWhat(string text, string replacement, string expected)
    {
        using var folder = new ModelFolder().Add("a.safetensors", ModelFolder.OpenClipWeights()).AddOpenClipConfig(text, replacement);
        StringAssert.Contains(Fails<InvalidDataException>(folder).Message, expected);
    }

    [TestMethod]
    [DataRow("image_mean", "[0.5, 0.5]", "\"image_mean\" is [0.5,0.5]; three numbers are expected, of red, green and blue.")]
    [DataRow("image_std", "[0, 1, 1]", "\"image_std\" is [0,1,1]; three numbers above 0 are expected.")]
    [DataRow("resample", "2", "\"resample\" is 2, which is not supported; only 3 is.")]
    [DataRow("size", "{\"height\": 32, \"width\": 32}", "images are resized by their shorter side here (\"shortest_edge\"), not " +
        "squashed or padded.")]
    [DataRow("size", "{\"shortest_edge\": 36}", "\"size\" is {\"shortest_edge\":36}; \"crop_size\" is 32, and images are resized here " +
        "to the size that is cut out.")]
    [DataRow("size", "40", "\"size\" is 40; \"crop_size\" is 32,")]
    public void Open_PreprocessorThatDoesNotFit_SaysWhat(string name, string value, string expected)
    {
        var values = new Dictionary<string, string>
        {
            ["image_mean"] = "[0.5, 0.5, 0.5]", ["image_std"] = "[0.5, 0.5, 0.5]",
            ["resample"] = "3", ["crop_size"] = "{\"height\": 32, \"width\": 32}", [name] = value
        };
        using var folder = new ModelFolder().Add("model.safetensors", ModelFolder.HuggingFaceWeights()).AddHuggingFaceConfig()
            .Add("preprocessor_config.json", $"{{{string.Join(",", values.Select(v => $"\"{v.Key}\": {v.Value}"))}}}");
        StringAssert.Contains(Fails<InvalidDataException>(folder).Message, expected);
    }

    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.NegativeInfinity)]
    public void ReadInto_WeightThatIsNotFinite_NamesIt(float value)
    {
        using var scope = NewDisposeScope();
        var all = Safetensors.Read(new MemoryStream(ModelFolder.HuggingFaceWeights()));
        all["text_model.encoder.layers.2.self_attn.q_proj.bias"].fill_(value);
        using var folder = new ModelFolder().Add("model.safetensors", ModelFolder.Bytes(all)).AddHuggingFaceConfig();
        StringAssert.Contains(Fails<InvalidDataException>(folder).Message,
            "the weight 'text_model.encoder.layers.2.self_attn.q_proj.bias' holds values that are not finite.");
    }

    [TestMethod]
    public void ReadInto_IntegerWeights_SaysWhichTypesAreRead()
    {
        using var scope = NewDisposeScope();
        var all = TinyGolden.Tensors("clip_vit_tiny", "model_open_clip.safetensors");
        all["ln_final.bias"] = all["ln_final.bias"].to_type(ScalarType.Int32);
        using var folder = new ModelFolder().Add("a.safetensors", ModelFolder.Bytes(all)).AddOpenClipConfig();
        StringAssert.EndsWith(Fails<InvalidDataException>(folder).Message, "Tensor 'ln_final.bias' is of type Int32; weights are " +
            "floating-point numbers (F64, F32, F16 or BF16).");
    }

    [TestMethod]
    public void Open_OtherModels_SaysWhyTheyAreNotRead()
    {
        using var scope = NewDisposeScope();
        void Refused(string expected, params string[] names)
        {
            using var folder = new ModelFolder().Add("model.safetensors", ModelFolder.Bytes(names.Select(n => KeyValuePair.Create(n,
                zeros(1)))));
            StringAssert.Contains(Fails<InvalidDataException>(folder).Message, expected);
        }
        Refused("This is no CLIP model that is known. Expected open_clip's names", "encoder.layer.0");
        Refused("Its vision tower is one of timm's, which is not supported.", "visual.trunk.conv.weight", "token_embedding.weight");
        Refused("Its text tower is a custom one of open_clip's, which is not supported.", "visual.conv1.weight", "text.transformer.x");
        Refused("It holds the vision tower only; give the file of the whole model.", "vision_model.embeddings.patch_embedding.weight");
        Refused("It holds the text tower only; give the file of the whole model.", "text_model.embeddings.token_embedding.weight");
    }

    [TestMethod]
    public void Open_NothingOrSeveral_SaysWhatIsExpected()
    {
        using var folder = new ModelFolder();
        StringAssert.Contains(Fails<FileNotFoundException>(folder).Message, "holds no weights. Expected 'open_clip_model.safetensors', " +
            "'model.safetensors', ");
        folder.Add("a.pt", "x").Add("b.safetensors", "x");
        StringAssert.EndsWith(Fails<FileNotFoundException>(folder).Message, "holds several files of weights: 'a.pt', 'b.safetensors'. " +
            "Give the path of one of them.");
        Assert.ThrowsExactly<FileNotFoundException>(() => Load(folder["none"]));
    }

    [TestMethod]
    public void Open_DamagedFile_NamesItAndTheFault()
    {
        using var folder = new ModelFolder().Add("model.safetensors", ModelFolder.OpenClipWeights()[..^1]).AddOpenClipConfig();
        var message = Fails<InvalidDataException>(folder).Message;
        StringAssert.StartsWith(message, $"'{folder["model.safetensors"]}': The tensors need ");
        folder.Add("model.safetensors", File.ReadAllBytes(Golden.Path("pretrained", "hostile_os_system.pt")));
        StringAssert.Contains(Fails<InvalidDataException>(folder).Message, "This is not a safetensors file, or it is damaged.");
    }
}
