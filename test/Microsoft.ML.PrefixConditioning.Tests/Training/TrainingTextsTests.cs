using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class TrainingTextsTests
{
    private static readonly PromptTemplates Templates = PromptTemplates.Of("{}", "one {} here", "see the {}", "{} again");

    private static TrainingTexts Create(TaggedRows rows, ulong seed = 1) => new(rows, SmallModel.Tokenizer, 64, Templates, seed);

    private static string[] Sentences(BatchTexts texts) => [.. texts.TextOfRow.Select(t => SmallModel.Tokenizer.Decode(
        texts.Tokens.Ids.Skip((int)t * texts.Tokens.Length).Take(texts.Tokens.Length).Select(id => (int)id)
            .TakeWhile((id, i) => i == 0 || id != SmallModel.Tokenizer.EndToken).Skip(1)).Trim())];

    [TestMethod]
    public void Compose_RowsOfOneClassAndTemplate_AreEncodedOnce()
    {
        using var data = new DrawnData();
        var texts = Create(data.Tagged());
        var together = 0;
        for (var step = 0; step < 40; step++)
        {
            var batch = texts.Compose([0, 8, 1, 9], step);   // rows 0 and 8 are red squares, 1 and 9 blue ones
            var sentences = Sentences(batch);
            Assert.AreEqual(sentences.Distinct().Count(), batch.Tokens.Count);
            Assert.AreEqual(sentences[0] == sentences[1], batch.TextOfRow[0] == batch.TextOfRow[1]);
            foreach (var (sentence, name) in sentences.Zip(["red square", "red square", "blue square", "blue square"]))
                Assert.Contains(sentence, Enumerable.Range(0, 4).Select(t => Templates.Fill(t, name)));
            if (sentences[0] == sentences[1]) together++;
        }
        Assert.IsInRange(1, 20, together, "a quarter of 40 on average");
    }

    [TestMethod]
    public void Compose_ManySteps_DrawsEveryTemplateIndependentlyPerRow()
    {
        using var data = new DrawnData();
        var texts = Create(data.Tagged());
        foreach (var rows in new[] { new[] { 0, 1 }, [0, 8] })   // another class, the same class
        {
            var drawn = Enumerable.Range(0, 200).Select(step => Sentences(texts.Compose(rows, step))).ToArray();
            foreach (var group in drawn.GroupBy(d => d[0])) Assert.AreEqual(50, group.Count(), 25, group.Key);
            Assert.AreEqual(4, drawn.Select(d => d[0]).Distinct().Count());
            Assert.AreEqual(16, drawn.Select(d => $"{d[0]}|{d[1]}").Distinct().Count(), "the rows' templates do not depend on each other");
        }
    }

    [TestMethod]
    public void Compose_Captions_StayAsTheyAre()
    {
        using var data = new DrawnData();
        var texts = Create(data.Tagged());
        foreach (var step in new[] { 0, 5 })
            DataTestRows.Equal<string>(["here is a blue square with number 0", "here is a red disc with number 1"],
                Sentences(texts.Compose([16, 17], step)));
    }

    [TestMethod]
    public void Compose_SameTextInTwoTypes_IsTwoTexts()
    {
        using var data = new DrawnData();
        data.Rows[16].Text = "red square";
        var batch = Create(data.Tagged()).Compose([0, 16], 3);
        CollectionAssert.AreEqual(new long[] { 0, 1 }, batch.TextOfRow);
        CollectionAssert.AreEqual(new long[] { 1, 0 }, batch.DatasetTypes);   // in the order of the options' types
    }

    [TestMethod]
    public void Compose_Seed_DecidesTheTemplates()
    {
        using var data = new DrawnData();
        string[] All(ulong seed)
        {
            var texts = Create(data.Tagged(), seed);
            return [.. Enumerable.Range(0, 20).SelectMany(step => Sentences(texts.Compose([0, 1, 2], step)))];
        }
        CollectionAssert.AreEqual(All(4), All(4));
        CollectionAssert.AreNotEqual(All(4), All(5));
    }

    [TestMethod]
    [DataRow(LossFunction.Clip)]
    [DataRow(LossFunction.UniCl)]
    public void Compose_DistinctTextsGathered_GiveTheGradientsOfEncodingEveryRow(LossFunction loss)
    {
        using var scope = NewDisposeScope();
        using var data = new DrawnData();
        using var model = SmallModel.Create(prefixLength: 2);
        var batch = new TrainingTexts(data.Tagged(), SmallModel.Tokenizer, 16, Templates, 1).Compose([0, 8, 1, 9, 0], 2);
        var images = SmallModel.Images(5);
        var ids = batch.Tokens.ToTensor(CPU);
        var types = tensor(batch.DatasetTypes);
        var textOfRow = tensor(batch.TextOfRow);
        Dictionary<string, Tensor> Gradients(Func<Tensor> texts)
        {
            var scale = model.LogitScale.exp();
            var embeddings = (Images: model.EncodeImages(images, null), Texts: texts());
            (loss == LossFunction.Clip ? ContrastiveLoss.Clip(embeddings.Images, embeddings.Texts, scale)
                : ContrastiveLoss.UniCl(embeddings.Images, embeddings.Texts, scale, tensor(new long[] { 0, 0, 1, 1, 0 }))).backward();
            var gradients = model.Weights.ToDictionary(w => w.Key, w => w.Value.grad!.clone());
            foreach (var (_, weight) in model.Weights) weight.grad = null;
            return gradients;
        }
        var gathered = Gradients(() => model.EncodeTexts(ids, types).index_select(0, textOfRow));
        var everyRow = Gradients(() => model.EncodeTexts(ids.index_select(0, textOfRow), types.index_select(0, textOfRow)));
        foreach (var (name, expected) in everyRow) TinyGolden.AreClose(expected, gathered[name], 1e-5, name);
    }
}
