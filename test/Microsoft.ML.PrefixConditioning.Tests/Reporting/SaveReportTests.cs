using System.Text;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using SkiaSharp;
using TorchSharp;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The report of a model: a page that is well-formed, complete, bounded and harmless.</summary>
[TestClass]
public sealed class SaveReportTests : IDisposable
{
    private const string Hostile = "<script>alert(1)</script> & \"quoted\" \u0001\ud800";

    private readonly DrawnData _data = new(labeled: 24, captioned: 12);

    public void Dispose() => _data.Dispose();

    [TestMethod]
    public void SaveReport_WithoutTestSets_ShowsTheHistory()
    {
        using var model = ScoringModel.Transformer();

        var summary = model.SaveReport(_data["report.html"]);

        var page = Page();
        Assert.AreEqual("en", (string?)page.Attribute("lang"));
        CollectionAssert.AreEqual((string[])["Training loss", "Learning rate", "Validation"],
            page.Descendants("figcaption").Select(caption => caption.Value).ToArray());
        Assert.AreEqual("Training", page.Descendants("h2").Single().Value);
        Assert.Contains("Skipped rows3", page.Value);
        Assert.Contains("not how well it classifies", page.Value);
        Assert.AreEqual("", summary.ToString());
    }

    [TestMethod]
    public void SaveReport_TestSetPairsAndBaseline_ShowsEveryPartAccessibly()
    {
        using var model = Model();
        using var baseline = Model(prefixLength: 0);

        var summary = model.SaveReport(_data["report.html"], Options() with { Baseline = baseline, BaselineName = "the plain model" });

        var page = Page();
        var sections = page.Descendants().Where(e => e.Name == "h2" || e.Name == "h3").Select(e => e.Value).ToArray();
        CollectionAssert.AreEqual((string[])["Zero-shot accuracy", "Differences", "Training", "Test set near", "Confusions",
            "Most certain right predictions", "Most certain wrong predictions", "Map of embeddings", "Retrieval", "Texts for an image",
            "Images for a text"], sections);
        Assert.AreEqual(summary.Headline, page.Descendants("p").First(p => (string?)p.Attribute("class") == "headline").Value);
        Assert.Contains("the plain model", summary.Headline);
        Assert.AreEqual("caption classification none the plain model (reference) chance", string.Join(" ",
            page.Descendants("table").First().Descendants("tbody").Single().Descendants("th").Select(th => th.Value)));
        Assert.HasCount(1, page.Descendants("h1"));
        foreach (var svg in page.Descendants("svg"))
            Assert.IsTrue(svg.Attribute("aria-label") is { Value.Length: > 0 } || (string?)svg.Attribute("aria-hidden") == "true");
        foreach (var image in page.Descendants("img"))
        {
            Assert.StartsWith("data:image/jpeg;base64,", image.Attribute("src")!.Value);
            Assert.IsGreaterThan(5, image.Attribute("alt")!.Value.Length);
        }
        foreach (var figure in page.Descendants("figure")) Assert.HasCount(1, figure.Elements("details"), "A chart has its numbers.");
        Assert.IsEmpty(page.Descendants("script"));
        Assert.IsLessThan(750_000, new FileInfo(_data["report.html"]).Length, "500 KB, and 250 KB for a test set.");
        Assert.IsFalse(page.Descendants().Attributes().Any(a => a.Name == "href" || a.Value.Contains("://", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void SaveReport_HostileNames_AreTextOnly()
    {
        using var model = Model();
        _data.Rows[0].Label = Hostile;
        _data.Rows[^1].Text = Hostile;

        model.SaveReport(_data["report.html"], Options(name: Hostile) with { Title = Hostile });

        var text = File.ReadAllText(_data["report.html"]);
        Assert.DoesNotContain("<script", text);
        var page = Page();
        Assert.AreEqual("<script>alert(1)</script> & \"quoted\" \ufffd\ufffd", page.Descendants("h1").Single().Value);
        Assert.Contains(page.Descendants("h1").Single().Value, page.Descendants("th").Select(th => th.Value).ToArray());
    }

    [TestMethod]
    public void SaveReport_UnreadableImagesAndMissingLabels_AreLeftOutWithANote()
    {
        using var model = Model();
        _data.Break(1, 2, 30);
        _data.Rows[3].Label = "";

        model.SaveReport(_data["report.html"], Options());

        Assert.Contains("Left out: 2 rows with an unreadable image, 1 row without a label.", Page().Value);
        Assert.Contains("Left out: 1 row with an unreadable image, 0 rows without a text.", Page().Value);
    }

    [TestMethod]
    public void SaveReport_AnyTestSet_ShowsNoNumberTwice()
    {
        using var model = Model();

        model.SaveReport(_data["report.html"], Options());

        var page = Page();
        page.Descendants("details").Remove();   // the numbers behind the charts
        page.Descendants("style").Remove();
        var headline = page.Descendants("p").First();
        var numbers = Regex.Matches(headline.Value, @"-?\d+\.\d|\d+ images").Select(match => match.Value).ToArray();
        Assert.Contains("24 images", numbers);
        headline.Remove();
        var visible = Regex.Matches(page.Value, @"-?\d+\.\d+ points|\d+ images of").Select(match => match.Value).ToArray();
        Assert.IsEmpty(visible.Where(text => numbers.Any(number => text.StartsWith(number, StringComparison.Ordinal))));
        Assert.IsEmpty(page.Descendants("text").Where(text => text.Value.Contains('%', StringComparison.Ordinal)));
    }

    [TestMethod]
    public void SaveReport_ManyClasses_ListsTheLargestConfusions()
    {
        using var model = Model();
        for (var i = 0; i < 24; i++) _data.Rows[i].Label = $"kind {i % 13}";

        model.SaveReport(_data["report.html"], Options());

        Assert.Contains("true → predicted class", Page().Descendants("th").Select(th => th.Value).ToArray());
        Assert.IsEmpty(Page().Descendants("caption"), "A matrix of 13 classes would not fit on a phone.");
        Assert.Contains("other classes", Page().Descendants("li").Select(item => item.Value.Trim()).ToArray());
    }

    [TestMethod]
    public void SaveReport_EmbeddingsInsteadOfImages_HasNoPictures()
    {
        using var model = Model();
        var embedded = model.Transform(_data.Labeled);

        string[] classNames = [.. _data.Rows.Select(row => row.Label).OfType<string>().Distinct()];
        var test = new ReportTestSet("near", embedded, new() { ImageColumnName = "ImageEmbedding", ClassNames = classNames });

        model.SaveReport(_data["report.html"], new() { TestSets = [test] });

        Assert.IsEmpty(Page().Descendants("img"));
        Assert.Contains("Map of embeddings", Page().Value);
        using var baseline = Model(prefixLength: 0);
        Assert.AreEqual(
            "The test set 'near' has embeddings in column 'ImageEmbedding', which are those of one model. Pass images, or no baseline.",
            Assert.ThrowsExactly<ArgumentException>(
                () => model.SaveReport(_data["report.html"], new() { TestSets = [test], Baseline = baseline })).Message);
    }

    [TestMethod]
    public void SaveReport_Repeated_KeepsNoTensorAndTheThreads()
    {
        using var model = Model();
        model.SaveReport(_data["report.html"], Options());
        var first = File.ReadAllText(_data["report.html"]);

        var (before, threads) = (LiveTensors.Count(), torch.get_num_threads());
        model.SaveReport(_data["report.html"], Options());

        Assert.AreEqual((before, threads), (LiveTensors.Count(), torch.get_num_threads()));
        Assert.AreEqual(first, File.ReadAllText(_data["report.html"]), "Equal models and data give equal reports.");
        Assert.HasCount(1, Directory.GetFiles(_data[""], "report.html*"), "No temporary file is left.");
    }

    [TestMethod]
    public void SaveReport_UnknownFolder_ThrowsAndNamesIt()
    {
        using var model = ScoringModel.Transformer();
        var path = _data["missing/report.html"];

        Assert.Contains(path, Assert.ThrowsExactly<IOException>(() => model.SaveReport(path)).Message);
    }

    [TestMethod]
    public void SaveReport_FaultyOptions_NamesTheFault()
    {
        using var model = Model();
        var test = new ReportTestSet("near", _data.Labeled);
        (ReportOptions Options, string Message)[] cases =
        [
            (new() { Title = " " }, "Title is empty; give the page a title."),
            (new() { BaselineName = "" }, "BaselineName is empty; name the other model."),
            (new() { TestSets = [test, test] }, "Two test sets have the name 'near'; give each its own."),
            (new() { TestSets = [test with { Name = "" }] }, "The test set at index 0 is null or has no name; give each a name."),
            (new() { TestSets = [test with { Data = null! }] }, "The test set 'near' has no data; pass a view."),
            (new() { TestSets = [.. Enumerable.Range(0, 21).Select(i => test with { Name = $"{i}" })] },
                "There are 21 test sets; a report shows at most 20. Save several reports."),
            (new() { Blends = [PrefixSelection.Auto] }, "A blend is null or PrefixSelection.Auto; pass prefixes or blends of them."),
        ];

        foreach (var (options, message) in cases)
            Assert.AreEqual(message,
                Assert.ThrowsExactly<ArgumentException>(() => model.SaveReport(_data["report.html"], options)).Message);
        Assert.IsFalse(File.Exists(_data["report.html"]));
    }

    [TestMethod]
    public void SaveReport_OneClass_ThrowsAndSaysWhatIsNeeded()
    {
        using var model = Model();
        foreach (var row in _data.Rows.Where(row => row.Label is not null)) row.Label = "all";

        var fault = Assert.ThrowsExactly<InvalidDataException>(() => model.SaveReport(_data["report.html"], Options()));

        Assert.StartsWith("The test set 'near' has 1 classes in column 'Label'; at least 2 are needed.", fault.Message);
    }

    [TestMethod]
    [DataRow(400, 200, 96, 48)]
    [DataRow(3, 900, 1, 96)]
    [DataRow(20, 30, 20, 30)]
    public void Thumbnail_AnyImage_IsSmall(int width, int height, int expectedWidth, int expectedHeight)
    {
        using var bitmap = new SKBitmap(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        var noise = SeededRandom.Derive(1, 2);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++) bitmap.SetPixel(x, y, new SKColor((uint)(noise.NextDouble() * uint.MaxValue)));
        using var png = bitmap.Encode(SKEncodedImageFormat.Png, 100);

        var file = Thumbnails.Encode(ImageReference.FromEncoded(png.ToArray()))!;

        using var small = SKBitmap.Decode(file);
        Assert.AreEqual((expectedWidth, expectedHeight), (small.Width, small.Height));
        Assert.IsLessThan(12_000, file.Length);
    }

    [TestMethod]
    public void Thumbnail_NoImage_IsMissing() =>
        Assert.IsNull(Thumbnails.Encode(ImageReference.FromEncoded(Encoding.ASCII.GetBytes("no picture"))));

    private PrefixClipTransformer Model(int prefixLength = 1) => new(_data.Context, SmallModel.CreateTrained(prefixLength));

    private ReportOptions Options(string name = "near") => new()
    {
        TestSets = [new(name, _data.Labeled)],
        Captioned = _data.Context.Data.LoadFromEnumerable(_data.Rows.Where(row => row.DatasetType == "caption")),
    };

    private XElement Page()
    {
        using var reader = XmlReader.Create(_data["report.html"], new() { DtdProcessing = DtdProcessing.Ignore });
        return XElement.Load(reader);
    }
}
