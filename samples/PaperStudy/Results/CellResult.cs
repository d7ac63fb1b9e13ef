namespace PaperStudy;

/// <summary>One trained model: what was trained, and what it scored. Kept as a JSON file, so that a stopped study can resume.</summary>
/// <param name="Model">Name of the way to train.</param>
/// <param name="Loss">"CLIP" or "UniCL".</param>
/// <param name="Seed">Seed of weights, batches and augmentation.</param>
/// <param name="Key">Hash of all settings and data that the result depends on; another key makes the cell run again.</param>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="Rows">Training rows.</param>
/// <param name="Parameters">Trained numbers.</param>
/// <param name="Seconds">Time for training and scoring; null if it was not done in one go.</param>
/// <param name="Scores">Accuracies by test set, split and test-time prefix.</param>
/// <param name="Choices">What each criterion without labels chose; empty for models without prefixes.</param>
/// <param name="Curve">Training loss, thinned to a few hundred steps, each the mean over the steps since the one before.</param>
/// <param name="Version">Version of the package that trained it, or null.</param>
internal sealed record CellResult(
    string Model,
    string Loss,
    int Seed,
    string Key,
    int Steps,
    long Rows,
    long Parameters,
    double? Seconds,
    IReadOnlyList<PrefixScores> Scores,
    IReadOnlyList<PrefixChoice> Choices,
    IReadOnlyList<CurvePoint> Curve,
    string? Version = null);

/// <summary>Accuracies, 0 to 1, on one split of one test set with one test-time prefix.</summary>
/// <param name="TestSet">Name of the test set.</param>
/// <param name="Split">"validation" or "test".</param>
/// <param name="Prefix">Such as "caption", "none" or "0.5 caption + 0.5 classification".</param>
/// <param name="IsBlend">Whether the prefix is a blend of several types.</param>
/// <param name="Top1">Share of images whose most probable class is right.</param>
/// <param name="Top5">Share of images whose class is among the five most probable.</param>
/// <param name="PerClass">Mean over classes of their top-1 accuracy.</param>
/// <param name="LogLoss">Mean of minus the logarithm of the true class's probability.</param>
internal sealed record PrefixScores(
    string TestSet, string Split, string Prefix, bool IsBlend, double Top1, double Top5, double PerClass, double LogLoss);

/// <summary>The prefix or blend that a criterion without labels chose, and what it scores.</summary>
/// <param name="TestSet">Name of the test set.</param>
/// <param name="Split">"validation" or "test".</param>
/// <param name="Criterion">Name of the criterion.</param>
/// <param name="Prefix">What it chose.</param>
/// <param name="Top1">Top-1 accuracy with that choice.</param>
/// <param name="Top5">Top-5 accuracy with that choice.</param>
internal sealed record PrefixChoice(
    string TestSet, string Split, string Criterion, string Prefix, double Top1, double Top5);

/// <summary>One point of a training curve.</summary>
/// <param name="Step">From 1.</param>
/// <param name="Loss">Mean training loss since the point before.</param>
internal sealed record CurvePoint(int Step, double Loss);
