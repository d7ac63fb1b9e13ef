namespace PaperStudy;

/// <summary>All that is known of a study at some time: what was planned, and the finished cells.</summary>
/// <param name="Name">Heading, such as "Emoji".</param>
/// <param name="Description">A few sentences about the data and the question.</param>
/// <param name="Facts">Settings that all cells share: names and values, in order.</param>
/// <param name="TestSets">In the order of the tables.</param>
/// <param name="Models">In the order of the tables.</param>
/// <param name="Losses">"CLIP", "UniCL" or both, in the order of the tables.</param>
/// <param name="Seeds">The planned seeds.</param>
/// <param name="Comparisons">The paired differences to take.</param>
/// <param name="Cells">The finished cells; some may be missing.</param>
internal sealed record StudyResults(
    string Name,
    string Description,
    IReadOnlyList<(string Key, string Value)> Facts,
    IReadOnlyList<TestSetInfo> TestSets,
    IReadOnlyList<ModelInfo> Models,
    IReadOnlyList<string> Losses,
    IReadOnlyList<int> Seeds,
    IReadOnlyList<Comparison> Comparisons,
    IReadOnlyList<CellResult> Cells);

/// <summary>What a test set is to the study.</summary>
internal enum TestRole
{
    /// <summary>Images of the same kind, and classes, as the labeled training images.</summary>
    Near,

    /// <summary>Classes with labeled training images, in images of another kind.</summary>
    Shifted,

    /// <summary>Classes without labeled training images.</summary>
    Unseen,
}

/// <summary>One test set.</summary>
/// <param name="Name">Short name, such as "outline-seen".</param>
/// <param name="Description">One sentence about its images.</param>
/// <param name="Role">The headline figure is the mean over the shifted and unseen sets.</param>
/// <param name="Distance">Order from the labeled images' kind (0) to far from it; sets of equal distance are of one kind.</param>
/// <param name="Splits">Images and classes of each split that it has.</param>
internal sealed record TestSetInfo(string Name, string Description, TestRole Role, int Distance, IReadOnlyList<SplitInfo> Splits);

/// <summary>One split of a test set. Classes, or images, are divided between the splits, so that nothing is chosen on what is
/// tested.</summary>
/// <param name="Split">"validation", on which choices are made, or "test".</param>
/// <param name="Images">Number of images.</param>
/// <param name="Classes">Number of classes to choose from; guessing gives 1 / classes.</param>
internal sealed record SplitInfo(string Split, int Images, int Classes);

/// <summary>One way to train.</summary>
/// <param name="Name">Such as "both, prefixes".</param>
/// <param name="Description">One sentence.</param>
/// <param name="ReportedPrefix">The test-time prefix of the main table, such as "caption" or "none".</param>
/// <param name="CaptionPrefix">The type of its captions, or of the first of several; null without captions.</param>
internal sealed record ModelInfo(string Name, string Description, string ReportedPrefix, string? CaptionPrefix = null);

/// <summary>A paired difference by seed: one model and prefix against others, and against the better one of these.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Prefix">Its test-time prefix.</param>
/// <param name="Against">Other models with their prefix.</param>
internal sealed record Comparison(string Model, string Prefix, IReadOnlyList<ModelAndPrefix> Against);

/// <summary>A model with a test-time prefix.</summary>
internal sealed record ModelAndPrefix(string Model, string Prefix);
