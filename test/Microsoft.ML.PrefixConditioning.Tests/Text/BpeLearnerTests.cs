namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class BpeLearnerTests
{
    [TestMethod]
    public void Learn_SmallCorpus_MergesMostFrequentPairsFirst()
    {
        // "low" 5, "lower" 2, "newest" 6, "widest" 3: the example of the BPE paper.
        var texts = Repeat("low", 5).Concat(Repeat("lower", 2)).Concat(Repeat("newest", 6)).Concat(Repeat("widest", 3));

        var merges = Merges(BpeLearner.Learn(texts, 514 + 4));

        Assert.AreEqual("e+s es+t</w> l+o e+w", string.Join(' ', merges));
    }

    [TestMethod]
    public void Learn_EqualCounts_TakesOrdinallyFirstPair()
    {
        var merges = Merges(BpeLearner.Learn(["zyq zyq bac bac", "Äz Äz"], 514 + 3));

        Assert.AreEqual("a+c</w> b+ac</w> y+q</w>", string.Join(' ', merges));
    }

    [TestMethod]
    public void Learn_OtherOrderOfTexts_GivesSameMerges()
    {
        var random = new Random(3);
        var texts = Enumerable.Range(0, 400).Select(_ => string.Join(' ', Enumerable.Range(0, 6).Select(_ => Word(random)))).ToArray();

        var forward = BpeLearner.Learn(texts, 900);
        var backward = BpeLearner.Learn(texts.Reverse(), 900);

        Assert.HasCount(900 - 514, forward.Pairs);
        CollectionAssert.AreEqual(forward.Pairs.ToArray(), backward.Pairs.ToArray());
    }

    [TestMethod]
    public void Learn_AnyCorpus_EqualsPlainRecount()
    {
        var random = new Random(11);
        var texts = Enumerable.Range(0, 120).Select(_ => string.Join(' ', Enumerable.Range(0, 5).Select(_ => Word(random)))).ToArray();

        CollectionAssert.AreEqual(RecountEveryTime(texts, 150), Merges(BpeLearner.Learn(texts, 514 + 150)));
    }

    [TestMethod]
    public void Learn_NothingOccursTwice_StopsEarly()
    {
        var tokenizer = ClipTokenizer.Learn(["abc def"], 10_000);

        Assert.AreEqual(514, tokenizer.VocabularySize);
        Assert.AreEqual(513, tokenizer.EndToken);
    }

    [TestMethod]
    public void Learn_FewRepeats_StopsWhenUsedUp()
    {
        var merges = Merges(BpeLearner.Learn(["abc abc x1 x2"], 10_000));

        Assert.AreEqual("a+b ab+c</w>", string.Join(' ', merges));
    }

    [TestMethod]
    public void Learn_UncleanTexts_AreCleaned()
    {
        var merges = Merges(BpeLearner.Learn(["CAF&Eacute;", "cafÃ©", "cafe\u0301"], 514 + 4));

        CollectionAssert.AreEqual(Merges(BpeLearner.Learn(["café", "café", "café"], 514 + 4)), merges);
    }

    [TestMethod]
    public void Learn_SpecialTexts_AreNotLearnedFrom() =>
        Assert.IsEmpty(BpeLearner.Learn(["<start_of_text> <start_of_text> a"], 600).Pairs);

    [TestMethod]
    public void Learn_WordEndAsText_KeepsSymbolsDistinct()
    {
        // The bytes of "</w>" could be merged into what marks the end of a word.
        var merges = BpeLearner.Learn(Repeat("x </w></w> b!</w> </w>", 10), 700);

        Assert.HasCount(merges.Symbols.Count, merges.Symbols.Distinct());
    }

    [TestMethod]
    public void Learn_LongRun_IsMerged()
    {
        var tokenizer = ClipTokenizer.Learn([new string('z', 5_000)], 514 + 12);

        Assert.AreEqual(new string('z', 300) + " ", tokenizer.Decode(tokenizer.Encode(new string('z', 300), 77)[1..^1]));
    }

    [TestMethod]
    public void Learn_NoWords_SaysSo()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => ClipTokenizer.Learn(["", " \n"], 600));

        Assert.Contains("The 2 texts hold no word", error.Message);
        Assert.Contains("text column", error.Message);
    }

    [TestMethod]
    public void Learn_TooSmallVocabulary_SaysSmallest()
    {
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ClipTokenizer.Learn(["a"], 513));

        Assert.Contains("at least 514", error.Message);
    }

    [TestMethod]
    public void Learn_Canceled_StopsBeforeTheTextsEnd()
    {
        using var stop = new CancellationTokenSource();
        var read = 0;
        IEnumerable<string> Endless()
        {
            while (true)
            {
                if (++read == 100) stop.Cancel();
                yield return "a text";
            }
        }
        DataTestRows.Fails<OperationCanceledException>(() => ClipTokenizer.Learn(Endless(), 600, stop.Token));
    }

    private static string[] Merges(BpeMerges merges) =>
        merges.Pairs.Select(pair => merges.Symbols[pair.Left] + '+' + merges.Symbols[pair.Right]).ToArray();

    private static IEnumerable<string> Repeat(string text, int count) => Enumerable.Repeat(text, count);

    private static string Word(Random random) => new([.. Enumerable.Range(0, random.Next(1, 9)).Select(_ => "aabeno"[random.Next(6)])]);

    // The definition, without any bookkeeping.
    private static string[] RecountEveryTime(string[] texts, int count)
    {
        var words = texts.SelectMany(text => text.Split(' ')).Select(word =>
        {
            var symbols = word.Select(c => c.ToString()).ToList();
            symbols[^1] += "</w>";
            return symbols;
        }).ToList();
        var known = new HashSet<string>();
        var merges = new List<string>();
        while (merges.Count < count)
        {
            var pairs = words.SelectMany(word => word.Zip(word.Skip(1))).Where(pair => !known.Contains(pair.First + pair.Second));
            var best = pairs.GroupBy(pair => pair).OrderByDescending(group => group.Count())
                .ThenBy(group => group.Key.First, StringComparer.Ordinal).ThenBy(group => group.Key.Second, StringComparer.Ordinal)
                .First().Key;
            foreach (var word in words)
                for (var i = 0; i + 1 < word.Count; i++)
                    if (word[i] == best.First && word[i + 1] == best.Second)
                    {
                        word[i] += word[i + 1];
                        word.RemoveAt(i + 1);
                    }
            known.Add(best.First + best.Second);
            merges.Add(best.First + '+' + best.Second);
        }
        return merges.ToArray();
    }
}
