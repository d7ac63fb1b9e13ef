using System.Xml.Linq;
using PaperStudy;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The files of whole, unfinished and odd studies.</summary>
[TestClass]
public sealed class StudyFilesTests : IDisposable
{
    private static readonly string[] Names = ["choices.csv", "report.html", "results.csv", "summary.md"];

    private readonly string _folder = Directory.CreateTempSubdirectory("prefix-study-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    public void Write_Twice_LeavesTheFilesOnly()
    {
        StudyFiles.Write(InventedStudy.Whole(seeds: 2), _folder);
        StudyFiles.Write(InventedStudy.Whole(seeds: 3), _folder);

        CollectionAssert.AreEqual(Names, Directory.GetFiles(_folder).Select(Path.GetFileName).Order(StringComparer.Ordinal).ToArray());
        Assert.Contains("seeds 1, 2, 3", Read("summary.md"));
    }

    [TestMethod]
    public void Write_WhileAnotherProcessWrites_DoesNotMeetItsFile()
    {
        using var other = new FileStream(Path.Combine(_folder, "report.html.unfinished"), FileMode.Create, FileAccess.Write,
            FileShare.None);

        StudyFiles.Write(InventedStudy.Whole(seeds: 1), _folder);

        Assert.Contains("Invented study", Read("report.html"));
    }

    [TestMethod]
    public void Write_WholeStudy_ShowsEveryPart()
    {
        StudyFiles.Write(InventedStudy.Whole(seeds: 3), _folder);

        var (page, summary) = (Read("report.html"), Read("summary.md"));
        foreach (var loss in new[] { "CLIP", "UniCL" })
        {
            Assert.Contains($"- {loss}: \"both, prefixes\" (caption) against the better of the two", summary);
            Assert.Contains($"## {loss}: accuracy by model\n", summary);
            Assert.Contains($"## {loss}, both, prefixes: accuracy by test-time prefix\n", summary);
            Assert.Contains($"## {loss}, both, prefixes: prefixes chosen without labels\n", summary);
            Assert.Contains($"<h3>{loss}: top-5 accuracy</h3>", page);
            Assert.Contains($"<h3>{loss}, both, prefixes: caption prefix minus other prefixes</h3>", page);
            Assert.Contains($"<h3>{loss}: training loss</h3>", page);
            Assert.Contains($"<h3>{loss}: top-1 accuracy on the validation split</h3>", page);
        }
        Assert.DoesNotContain("<script", page);
        Assert.DoesNotContain("http", page);
        // 3 seeds x 2 losses x (2 x 1 + 4) prefixes x (6 test + 5 validation) splits, and the heading.
        Assert.HasCount(3 * 2 * 6 * 11 + 1, Read("results.csv").TrimEnd().Split("\r\n"));
        Assert.HasCount(3 * 2 * 2 * 11 + 1, Read("choices.csv").TrimEnd().Split("\r\n"));
    }

    [TestMethod]
    public void Write_WholeStudy_IsWellFormedPage()
    {
        StudyFiles.Write(InventedStudy.Whole(seeds: 2), _folder);

        // Void elements apart, our markup closes what it opens.
        var page = Read("report.html").Replace("<!DOCTYPE html>", "", StringComparison.Ordinal)
            .Replace("<meta charset=\"utf-8\">", "", StringComparison.Ordinal).Replace("initial-scale=1\">", "initial-scale=1\"/>",
                StringComparison.Ordinal);
        Assert.AreEqual("html", XElement.Parse(page).Name.LocalName);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(5)]
    [DataRow(7)]
    public void Write_UnfinishedStudy_ShowsWhatThereIs(int cells)
    {
        var whole = InventedStudy.Whole(seeds: 2);

        StudyFiles.Write(whole with { Cells = [.. whole.Cells.Take(cells)] }, _folder);

        foreach (var name in Names) Assert.DoesNotContain("NaN", Read(name));
        Assert.Contains(cells == 0 ? "Nothing is finished yet." : "Not there:", Read("summary.md"));
        Assert.Contains(cells == 0 ? "Nothing is finished yet." : "Not there:", Read("report.html"));
    }

    [TestMethod]
    public void Write_OneSeed_SaysThatThereIsNoInterval()
    {
        StudyFiles.Write(InventedStudy.Whole(seeds: 1), _folder);

        var summary = Read("summary.md");
        Assert.Contains("One seed only: there is no interval", summary);
        Assert.Contains("no claim from 1 seed (3 are needed)", summary);
        Assert.DoesNotContain("Student", summary);
        Assert.DoesNotContain("▲", summary[summary.LastIndexOf("| minus", StringComparison.Ordinal)..]);
    }

    [TestMethod]
    public void Write_NoPrefixModelAndNoValidation_LeavesThosePartsEmpty()
    {
        var set = InventedStudy.Set("near", TestRole.Near, 0, classes: 4);
        var cell = InventedStudy.Cell("plain", 1, ("near", "none", 0.5));
        var study = InventedStudy.Of([set], [new ModelInfo("plain", "", "none")], new Comparison("plain", "none", []), cell);

        StudyFiles.Write(study, _folder);

        Assert.DoesNotContain("chosen without labels", Read("summary.md"));
        Assert.Contains("No test set has a validation split.", Read("report.html"));
        Assert.Contains("No model has several prefixes.", Read("report.html"));
    }

    [TestMethod]
    public void Write_FiguresThatAreNoNumbers_AreMissing()
    {
        var set = InventedStudy.Set("near", TestRole.Near, 0, classes: 4);
        var cell = InventedStudy.Cell("plain", 1, ("near", "none", double.NaN)) with { Curve = [new CurvePoint(1, double.NaN)] };

        StudyFiles.Write(InventedStudy.Of([set], [new ModelInfo("plain", "", "none")], new Comparison("plain", "none", []), cell), _folder);

        foreach (var name in Names) Assert.DoesNotContain("NaN", Read(name));
        Assert.Contains("plain,CLIP,1,near,test,none,,,,", Read("results.csv"));
    }

    [TestMethod]
    public void Write_NamesWithMarkup_AreOnlyText()
    {
        var set = InventedStudy.Set("a<b>|c,\"d\"", TestRole.Near, 0, classes: 4);
        var cell = InventedStudy.Cell("m*", 1, (set.Name, "none", 0.5));
        var study = InventedStudy.Of([set], [new ModelInfo("m*", "", "none")], new Comparison("m*", "none", []), cell);

        StudyFiles.Write(study, _folder);

        Assert.Contains("m*,CLIP,1,\"a<b>|c,\"\"d\"\"\",test,none,0.5,0.7,0.49,1.5\r\n", Read("results.csv"));
        Assert.Contains(@"a\<b\>\|c,", Read("summary.md"));
        Assert.Contains("a&lt;b&gt;|c,", Read("report.html"));
        Assert.DoesNotContain("a<b>", Read("report.html"));
    }

    [TestMethod]
    public void Write_FolderThatIsAFile_SaysWhatToDo()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");

        var error = Assert.ThrowsExactly<IOException>(() => StudyFiles.Write(InventedStudy.Whole(seeds: 1), file));

        Assert.Contains("cannot be written", error.Message);
        Assert.Contains("Give a place that you may write to", error.Message);
    }

    private string Read(string name) => File.ReadAllText(Path.Combine(_folder, name));
}
