using System.Text;
using System.Text.Json.Nodes;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ModelSettingsTests
{
    private static ModelSettings Settings { get; } = ModelSettings.From(new PrefixClipOptions
    {
        Architecture = ClipArchitecture.Tiny with { MlpRatio = 3.5, Activation = ClipActivation.QuickGelu }, PrefixLength = 2,
        ImagePrefixLength = 1,
        ImageDecoding = ImageDecoding.OpenClip, BadRows = BadRowPolicy.Skip, PromptTemplates = PromptTemplates.Of("ein {}", "„{}“"),
        Columns = new() { Image = "Bild", Text = "Wörter", Label = "L", ImageEmbedding = "IE", TextEmbedding = "TE" },
    }, [DatasetType.Caption, new("größer", TextKind.ClassName)], 700) with
    { Normalization = new(new(0.1f, 0.2f, 0.3f), new(0.4f, 0.5f, 0.6f)) };

    [TestMethod]
    public void FromJson_OwnJson_IsEqual()
    {
        var read = ModelSettings.FromJson(Settings.ToJson());
        CollectionAssert.AreEqual(Settings.DatasetTypes.ToArray(), read.DatasetTypes.ToArray());
        CollectionAssert.AreEqual(Settings.Templates.ToArray(), read.Templates.ToArray());
        Assert.AreEqual(Settings, read with { DatasetTypes = Settings.DatasetTypes, Templates = Settings.Templates });
        CollectionAssert.AreEqual(Settings.ToJson(), read.ToJson());
        Assert.AreEqual(new ClipModelShape(Settings.Architecture, 700, 2, 2, 1), read.Shape);
    }

    [TestMethod]
    [DataRow("Architecture", "null")]
    [DataRow("Architecture", "{\"ImageSize\": 0}")]
    [DataRow("Architecture", "{\"ImageSize\": 1073741824, \"PatchSize\": 1}")]
    [DataRow("Architecture", "{\"Colour\": 3}")]
    [DataRow("VocabularySize", "2")]
    [DataRow("VocabularySize", "\"many\"")]
    [DataRow("DatasetTypes", "[]")]
    [DataRow("DatasetTypes", "null")]
    [DataRow("DatasetTypes", "[null]")]
    [DataRow("DatasetTypes", "[{\"Name\": \"\", \"Texts\": \"Caption\"}]")]
    [DataRow("DatasetTypes", "[{\"Name\": null, \"Texts\": \"Caption\"}]")]
    [DataRow("DatasetTypes", "[{\"Name\": \"a\", \"Texts\": 9}]")]
    [DataRow("DatasetTypes", "[{\"Name\": \"a\", \"Texts\": \"Caption\"}, {\"Name\": \"a\", \"Texts\": \"Caption\"}]")]
    [DataRow("PrefixLength", "-1")]
    [DataRow("ImagePrefixLength", "65")]
    [DataRow("Normalisation", "null")]
    [DataRow("Normalisation", "{\"Mean\": null, \"StandardDeviation\": null}")]
    [DataRow("Normalisation",
        "{\"Mean\": {\"Red\": 0, \"Green\": 0, \"Blue\": 0}, \"StandardDeviation\": {\"Red\": 0, \"Green\": 1, \"Blue\": 1}}")]
    [DataRow("ImageDecoding", "99")]
    [DataRow("ImageDecoding", "\"Sideways\"")]
    [DataRow("BadImages", "7")]
    [DataRow("Templates", "[]")]
    [DataRow("Templates", "[\"no place\"]")]
    [DataRow("Templates", "[null]")]
    [DataRow("ImageColumnName", "null")]
    public void FromJson_ChangedValue_IsRefused(string property, string value)
    {
        var json = JsonNode.Parse(Settings.ToJson())!;
        json[property] = JsonNode.Parse(value);
        Refused(Encoding.UTF8.GetBytes(json.ToJsonString()));
    }

    [TestMethod]
    public void FromJson_SeparateTextProjections_IsRefusedByName()
    {
        var json = JsonNode.Parse(Settings.ToJson())!;
        json["SeparateTextProjections"] = true;

        var fault = Assert.ThrowsExactly<InvalidDataException>(() => ModelSettings.FromJson(Encoding.UTF8.GetBytes(json.ToJsonString())));

        Assert.Contains("SeparateTextProjections", fault.Message);
        Assert.Contains("Train the model again", fault.Message);
    }

    [TestMethod]
    public void FromJson_MissingOrUnknownProperty_IsRefused()
    {
        // which version 1 had not
        foreach (var property in JsonNode.Parse(Settings.ToJson())!.AsObject().Select(p => p.Key).Where(p => p != "Normalisation"))
        {
            var json = JsonNode.Parse(Settings.ToJson())!.AsObject();
            json.Remove(property);
            Refused(Encoding.UTF8.GetBytes(json.ToJsonString()));
        }
        var more = JsonNode.Parse(Settings.ToJson())!.AsObject();
        more["Extra"] = 1;
        Refused(Encoding.UTF8.GetBytes(more.ToJsonString()));
    }

    [TestMethod]
    public void FromJson_CutOff_IsRefused()
    {
        var json = Settings.ToJson();
        for (var length = 0; length < json.Length; length += 7) Refused(json.AsSpan(0, length).ToArray());
        Refused("null"u8.ToArray());
    }

    private static void Refused(byte[] json)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => ModelSettings.FromJson(json));
        StringAssert.StartsWith(error.Message, "The model's settings are damaged: ");
        StringAssert.EndsWith(error.Message, "Save the model again or restore the file from a copy.");
    }
}
