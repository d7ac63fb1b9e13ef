using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Trained models as ONNX files: the image encoder, the text encoder, a whole zero-shot classifier.</summary>
internal static class OnnxExport
{
    private const string Images = "N", Texts = "N", Tokens = "L";   // sizes that differ from call to call
    private const string ImageEmbedding = "ImageEmbedding", TextEmbedding = "TextEmbedding", TokenIds = "TokenIds";
    private const string Score = "Score", PredictedLabel = "PredictedLabel";

    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Pixels to embeddings.</summary>
    /// <param name="model">The model.</param>
    /// <param name="network">Its network.</param>
    /// <param name="prefix">Folded in where the model has image prefixes; null for the caption prefix.</param>
    /// <param name="pixels">What the input holds.</param>
    public static OnnxModelFile ImageEncoder(TrainedModel model, ClipModel network, PrefixSelection? prefix, PixelValues pixels)
    {
        var settings = model.Settings;
        var graph = new OnnxGraph();
        EncodeImages(graph, settings, network, prefix, pixels, Pixels(graph, settings, pixels));
        graph.Output(ImageEmbedding, OnnxElement.Float, [Images, settings.Architecture.EmbeddingSize],
            "Image embeddings of length 1, whose scalar product with others is the cosine similarity.");
        return new OnnxModelFile(graph, "image_encoder", "Images to embeddings of length 1.",
            [.. ImageMetadata(settings, pixels), Entry("prefix", PrefixJson(prefix, settings))]);
    }

    /// <summary>Token ids to embeddings, with the prefix folded in.</summary>
    /// <param name="model">The model.</param>
    /// <param name="network">Its network.</param>
    /// <param name="prefix">Null for the caption prefix.</param>
    public static OnnxModelFile TextEncoder(TrainedModel model, ClipModel network, PrefixSelection? prefix)
    {
        var settings = model.Settings;
        var graph = new OnnxGraph();
        var ids = graph.Input(TokenIds, OnnxElement.Int64, [Texts, Tokens],
            string.Create(CultureInfo.InvariantCulture,
                $"Start token, at most {settings.Architecture.ContextLength - 2} tokens of text, end token, then zeros."));
        new OnnxTowers(graph, network).Texts(ids, PrefixResolution.Resolve(prefix, settings.DatasetTypes), TextEmbedding);
        graph.Output(TextEmbedding, OnnxElement.Float, [Texts, settings.Architecture.EmbeddingSize], "Text embeddings of length 1.");
        return new OnnxModelFile(graph, "text_encoder", "Token ids to embeddings of length 1, with a test-time prefix folded in.",
        [
            Entry("context_length", string.Create(CultureInfo.InvariantCulture, $"{settings.Architecture.ContextLength}")),
            Entry("vocabulary_size", string.Create(CultureInfo.InvariantCulture, $"{settings.VocabularySize}")),
            Entry("logit_scale", string.Create(CultureInfo.InvariantCulture, $"{(float)model.LogitScale}")),
            Entry("prefix", PrefixJson(prefix, settings)),
        ]);
    }

    /// <summary>Pixels to the probability of every class and the name of the most probable one.</summary>
    /// <param name="model">The model.</param>
    /// <param name="network">Its network.</param>
    /// <param name="classes">The classes.</param>
    /// <param name="pixels">What the input holds.</param>
    public static OnnxModelFile Classifier(TrainedModel model, ClipModel network, OnnxClasses classes, PixelValues pixels)
    {
        var settings = model.Settings;
        var graph = new OnnxGraph();
        var embeddings = EncodeImages(graph, settings, network, classes.Prefix, pixels, Pixels(graph, settings, pixels));   // [N, D]
        Scores(graph, embeddings, classes);
        var best = graph.Add("ArgMax", "/classes", [Score], OnnxAttribute.Of("axis", -1), OnnxAttribute.Of("keepdims", 0));   // [N]
        graph.Add("Gather", "/classes", [ClassNames(graph, classes), best], output: PredictedLabel);
        graph.Output(Score, OnnxElement.Float, [Images, classes.Names.Length],
            "Probability of every class, in the order of the metadata's class_names.");
        graph.Output(PredictedLabel, OnnxElement.Text, [Images], "Name of the most probable class.");
        return new OnnxModelFile(graph, "zero_shot_classifier", "Images to the probabilities of classes that are known by name.",
        [
            .. ImageMetadata(settings, pixels),
            Entry("class_names", JsonSerializer.Serialize(classes.Names, Json)),
            Entry("logit_scale", string.Create(CultureInfo.InvariantCulture, $"{classes.LogitScale}")),
            Entry("prefix", PrefixJson(classes.Prefix, settings)),
        ]);
    }

    /// <summary>Adds the vision tower.</summary>
    /// <param name="graph">The graph under construction.</param>
    /// <param name="settings">The model's settings.</param>
    /// <param name="network">Its network.</param>
    /// <param name="prefix">Folded in where the model has image prefixes; null for the caption prefix.</param>
    /// <param name="pixels">What the input holds.</param>
    /// <param name="input">[N, 3, S, S].</param>
    /// <returns>[N, D], unit length.</returns>
    public static string EncodeImages(
        OnnxGraph graph, ModelSettings settings, ClipModel network, PrefixSelection? prefix, PixelValues pixels, string input)
    {
        if (pixels == PixelValues.Rgb255) input = Normalize(graph, input, settings.Normalization);
        var type = PrefixResolution.ImageType(settings.ImagePrefixLength, PrefixResolution.Resolve(prefix, settings.DatasetTypes));
        return new OnnxTowers(graph, network).Images(input, type, ImageEmbedding);
    }

    /// <summary>Adds the probabilities of the classes.</summary>
    /// <param name="graph">The graph under construction.</param>
    /// <param name="embeddings">[N, D], unit length.</param>
    /// <param name="classes">C classes.</param>
    /// <returns>[N, C].</returns>
    public static string Scores(OnnxGraph graph, string embeddings, OnnxClasses classes)
    {
        long count = classes.Names.Length, size = classes.Embeddings.Length / count;
        var matrix = graph.Floats("class_embeddings.scaled", [size, count],
            () => tensor(classes.Embeddings, [count, size]).Times(classes.LogitScale).t(),
            "unit-length class embeddings times the logit scale, transposed");
        var logits = graph.Add("MatMul", "/classes", [embeddings, matrix]);                                     // [N, D] @ [D, C]
        return graph.Add("Softmax", "/classes", [logits], output: Score, OnnxAttribute.Of("axis", -1));
    }

    /// <summary>[C]: the names as a constant.</summary>
    public static string ClassNames(OnnxGraph graph, OnnxClasses classes) =>
        graph.Texts("class_names", classes.Names, "in the order of the scores");

    private static string Pixels(OnnxGraph graph, ModelSettings settings, PixelValues pixels)
    {
        var size = settings.Architecture.ImageSize;
        return graph.Input(PixelColumn.NameOf(pixels), OnnxElement.Float, [Images, 3, size, size], pixels == PixelValues.Rgb255
            ? "Red, green and blue planes, 0 to 255."
            : "Red, green and blue planes, scaled to 0 to 1, then less the mean and over the standard deviation.");
    }

    /// <summary>Pixels of 0 to 255, less the mean and over the standard deviation of such pixels.</summary>
    private static string Normalize(OnnxGraph graph, string pixels, ImageNormalization normalization)
    {
        const string Doc = "for pixels of 0 to 255";
        var mean = graph.Floats("mean", [1, 3, 1, 1], () => tensor(normalization.Mean.ToArray(), [1, 3, 1, 1]).Times(255), Doc);
        var deviation = graph.Floats("std", [1, 3, 1, 1],
            () => tensor(normalization.StandardDeviation.ToArray(), [1, 3, 1, 1]).Times(255), Doc);
        return graph.Add("Div", "/normalize", [graph.Add("Sub", "/normalize", [pixels, mean]), deviation]);
    }

    private static KeyValuePair<string, string>[] ImageMetadata(ModelSettings settings, PixelValues pixels)
    {
        var (size, normalization) = (settings.Architecture.ImageSize, settings.Normalization);
        return
        [
            Entry("image_size", string.Create(CultureInfo.InvariantCulture, $"{size}")),
            Entry("mean", JsonSerializer.Serialize(normalization.Mean.ToArray())),
            Entry("std", JsonSerializer.Serialize(normalization.StandardDeviation.ToArray())),
            Entry("preprocessing", string.Create(CultureInfo.InvariantCulture,
                $"RGB; short side resized to {size} with Pillow's bicubic filter (a = -0.5, widened when shrinking); " +
                $"center {size} x {size} kept; ") +
                (pixels == PixelValues.Rgb255 ? "values 0 to 255, normalized inside the graph" : "values over 255, less mean, over std")),
            Entry("image_decoding", settings.ImageDecoding switch
            {
                ImageDecoding.Upright => "EXIF orientation applied, transparency over white",
                ImageDecoding.Scaled => "EXIF orientation applied, transparency over white, " +
                    "JPEG decoded at the smallest scale in eighths whose short side is at least twice the image size",
                _ => "EXIF orientation ignored, alpha channel dropped",
            }),
        ];
    }

    private static string PrefixJson(PrefixSelection? prefix, ModelSettings settings) => JsonSerializer.Serialize(
        (prefix ?? PrefixResolution.Default(settings.DatasetTypes)).Weights.ToDictionary(w => w.DatasetType, w => w.Weight), Json);

    private static KeyValuePair<string, string> Entry(string key, string value) => new(key, value);
}

/// <summary>The classes of a zero-shot classifier. C classes, D embedding size.</summary>
/// <param name="Names">C names.</param>
/// <param name="Embeddings">[C, D] row by row, unit length.</param>
/// <param name="LogitScale">The factor between cosine similarity and logit.</param>
/// <param name="Prefix">The prefix that the names were encoded with; images get it too, where the model has image prefixes.</param>
internal sealed record OnnxClasses(string[] Names, float[] Embeddings, float LogitScale, PrefixSelection Prefix);
