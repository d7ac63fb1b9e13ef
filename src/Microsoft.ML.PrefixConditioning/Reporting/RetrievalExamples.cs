using System.Numerics.Tensors;
using System.Xml.Linq;
using static Microsoft.ML.PrefixConditioning.Markup;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Texts that the model finds for some images, and images that it finds for some texts.</summary>
internal static class RetrievalExamples
{
    private const int MostPairs = 100, Queries = 4, TextsShown = 3, ImagesShown = 4, LongestText = 160;

    /// <summary>Reads pairs and draws the examples.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    public static IEnumerable<XElement> Draw(TrainedModel model, IDataView captioned)
    {
        var settings = model.Settings;
        var prefix = PrefixResolution.Default(settings.DatasetTypes);
        var imagePrefix = PrefixResolution.ImagePrefix(settings.ImagePrefixLength, prefix);
        var pairs = EncodedImages.Read(model, captioned, new ImageRequest
        {
            ImageColumnName = settings.ImageColumnName, LabelColumnName = settings.TextColumnName, ImagePrefixes = [imagePrefix],
            BadRows = BadRowPolicy.Skip, MaxRows = MostPairs,
        });
        if (pairs.Count < 2)
            return [Note($"Of {pairs.Rows} rows, {pairs.Count} have a text and a readable image; examples need at least 2.")];
        var images = pairs.Embeddings(imagePrefix);
        string[] texts = [.. pairs.Labels.Distinct()];
        float[][] encoded = [.. model.EncodeTexts(texts, prefix).Chunk(settings.Architecture.EmbeddingSize)];
        var shown = Math.Min(Queries, pairs.Count);
        int[] queries = [.. Enumerable.Range(0, shown).Select(i => i * pairs.Count / shown)];
        string[] queryTexts = [.. queries.Select(i => pairs.Labels[i]).Distinct()];
        var found = queryTexts.ToDictionary(text => text, text => Nearest(encoded[Array.IndexOf(texts, text)], images, ImagesShown));
        var pictures = Thumbnails.Read(captioned, settings.ImageColumnName,
            queries.Concat(found.Values.SelectMany(image => image)).Select(i => pairs.RowNumbers[i]).Distinct());
        XElement? Picture(int i) => pictures.Picture(pairs.RowNumbers[i], $"Image with the caption: {Short(pairs.Labels[i])}");

        return
        [
            new XElement("p", $"Among {Counted(pairs.Count, "image")} and {Counted(texts.Length, "text")}; ✓ marks what belongs together." +
                LeftOut(pairs.UnreadableImages, pairs.MissingLabels, "a text")),
            new XElement("h3", "Texts for an image"),
            .. queries.Select(i => new XElement("div", Class("query"), Picture(i) ?? new XElement("div", Class("lost"), "no picture"),
                Texts(Nearest(images[i], encoded, encoded.Length), texts, pairs.Labels[i]))),
            new XElement("h3", "Images for a text"),
            .. found.SelectMany(query => new[]
            {
                new XElement("p", Short(query.Key)),
                new XElement("ul", Class("pictures"), query.Value.Select(i => Found(Picture(i), pairs.Labels[i], query.Key))),
            }),
        ];
    }

    // The best texts, and the image's own if it is not among them, with its place.
    private static XElement Texts(int[] order, string[] texts, string own)
    {
        var place = Array.FindIndex(order, text => texts[text] == own);
        var list = new XElement("ol", order.Take(TextsShown).Select((text, i) =>
            new XElement("li", Short(texts[text]), i == place ? " ✓" : "")));
        if (place >= TextsShown)
            list.Add(new XElement("li", new XAttribute("value", place + 1), Short(own), " ✓"));
        return list;
    }

    private static XElement Found(XElement? picture, string caption, string query) => new("li",
        picture, caption == query ? new XElement("span", Class("verdict"), "✓ this text") : Short(caption));

    private static int[] Nearest(float[] query, IReadOnlyList<float[]> candidates, int most) =>
        [.. Enumerable.Range(0, candidates.Count).OrderByDescending(i => TensorPrimitives.Dot(query, candidates[i])).Take(most)];

    private static string Short(string text) => text.Length <= LongestText ? text : text[..(LongestText - 1)] + "…";
}
