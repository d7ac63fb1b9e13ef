namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PromptTemplatesTests
{
    [TestMethod]
    public void Fill_EveryDefault_HoldsTheName()
    {
        Assert.HasCount(7, PromptTemplates.Default);
        for (var i = 0; i < PromptTemplates.Default.Count; i++)
        {
            var sentence = PromptTemplates.Default.Fill(i, "red {panda}");
            StringAssert.Contains(sentence, "red {panda}");
            Assert.DoesNotContain(PromptTemplates.Placeholder, sentence);
        }
        Assert.AreEqual("red panda", PromptTemplates.NameOnly.Fill(0, "red panda"));
    }

    [TestMethod]
    public void Fill_NameWithPlaceholder_StaysAsItIs() => Assert.AreEqual("a {} here", PromptTemplates.Of("a {} here").Fill(0, "{}"));

    [TestMethod]
    public void Of_Templates_KeepsOrderAndACopy()
    {
        string[] given = ["one {}", "{} two"];
        var templates = PromptTemplates.Of(given);
        given[0] = "changed {}";
        DataTestRows.Equal<string>(["one {}", "{} two"], templates);
        Assert.AreEqual("{} two", templates[1]);
    }

    [TestMethod]
    public void Equals_OrderAndText_Count()
    {
        Assert.AreEqual(PromptTemplates.Of("a {}", "b {}"), PromptTemplates.Of("a {}", "b {}"));
        Assert.AreEqual(PromptTemplates.Of("a {}", "b {}").GetHashCode(), PromptTemplates.Of("a {}", "b {}").GetHashCode());
        Assert.AreNotEqual(PromptTemplates.Of("a {}", "b {}"), PromptTemplates.Of("b {}", "a {}"));
        Assert.AreNotEqual(PromptTemplates.Of("a {}"), PromptTemplates.Of("a {}", "a {}"));
    }

    [TestMethod]
    public void Of_NoTemplate_SaysWhatToPass()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => PromptTemplates.Of());
        StringAssert.Contains(error.Message, "There is no prompt template; at least one is needed. Pass PromptTemplates.NameOnly");
    }

    [TestMethod]
    [DataRow("no place")]
    [DataRow("{} and {}")]
    [DataRow("")]
    [DataRow(null)]
    public void Of_PlaceholderNotOnce_QuotesTheTemplate(string? template)
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => PromptTemplates.Of("a {}", template!));
        StringAssert.Contains(error.Message,
            $"The prompt template \"{template}\" must contain {{}}, the place of the class name, exactly once.");
    }
}
