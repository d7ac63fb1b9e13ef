using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Retrieves images by texts and texts by images with several prefixes.</summary>
internal static class RetrievalEvaluation
{
    private const int TextsPerPass = 256;

    /// <summary>Measures retrieval with each of the model's prefixes, with none, and with additional selections.</summary>
    public static RetrievalComparison Run(IHostEnvironment environment, IDataView data, PrefixClipTransformer model,
        DataViewSchema.Column imageColumn, DataViewSchema.Column textColumn, IEnumerable<PrefixSelection> further)
    {
        var prefixes = PrefixEvaluation.PrefixesOf(model, further);
        PrefixSelection ImagePrefix(PrefixSelection prefix) =>
            PrefixResolution.ImagePrefix(model.Trained.Settings.ImagePrefixLength, prefix);
        using var phase = new LongPhase(environment, "Comparing prefixes", "texts and images");
        var all = CaptionedImages.Read(data, imageColumn, textColumn, phase);
        var isFirst = all.Rows.ToHashSet();
        var images = EncodedImages.Read(model.Trained, new RowSelection(data, isFirst.Contains, isFirst.Count), new ImageRequest
        {
            ImageColumnName = imageColumn.Name,
            ImagePrefixes = [.. prefixes.Select(ImagePrefix).Distinct()],
            BadRows = BadRowPolicy.Skip,
        });
        var unreadable = all.MissingImages + images.UnreadableImages;
        if (images.Count == 0)
            throw new InvalidDataException(
                $"No row can be compared: of {all.RowCount} rows {all.MissingTexts} have no text in column '{textColumn.Name}', and " +
                $"{unreadable} images are missing or unreadable. Pass rows that have both.");

        var indexes = images.RowNumbers.Index().ToDictionary(r => (int)r.Item - 1, r => r.Index);   // of images among the readable ones
        var (texts, owners) = (new List<string>(), new List<int>());
        foreach (var (text, owner) in all.Texts.Zip(all.Owners))
        {
            if (!indexes.TryGetValue(owner, out var index)) continue;
            texts.Add(text);
            owners.Add(index);
        }
        var captions = owners.Index().ToLookup(o => o.Item, o => o.Index);
        int[][] ofImages = [.. Enumerable.Range(0, images.Count).Select(i => captions[i].ToArray())];
        int[][] ofTexts = [.. owners.Select(owner => new[] { owner })];
        var metrics = prefixes.Select(prefix =>
        {
            var imageRows = Rows(model, images.Embeddings(ImagePrefix(prefix)));
            var textRows = Rows(model, Encode(model, texts, prefix, phase));
            return new PrefixRetrieval(prefix, new RankedQueries(imageRows, textRows, ofImages).Measure(() => phase.Advance(0)),
                new RankedQueries(textRows, imageRows, ofTexts).Measure(() => phase.Advance(0)));
        });
        return new RetrievalComparison([.. metrics], images.Count, texts.Count, all.MissingTexts, unreadable);
    }

    private static IEnumerable<float[]> Encode(PrefixClipTransformer model, List<string> texts, PrefixSelection prefix, LongPhase phase)
    {
        foreach (var pass in texts.Chunk(TextsPerPass))
        {
            foreach (var embedding in model.EncodeTexts(pass, prefix)) yield return embedding;
            phase.Advance(pass.Length);
        }
    }

    private static EmbeddingRows Rows(PrefixClipTransformer model, IEnumerable<float[]> embeddings)
    {
        var rows = new EmbeddingRows(model.Architecture.EmbeddingSize);
        foreach (var embedding in embeddings)
            if (!rows.TryAdd(embedding))
                throw new InvalidDataException(
                    "The model gives embeddings that are not finite; its weights are not usable. Load or train another one.");
        return rows;
    }
}
