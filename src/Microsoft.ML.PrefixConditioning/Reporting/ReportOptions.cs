namespace Microsoft.ML.PrefixConditioning;

/// <summary>What <see cref="PrefixClipReport.SaveReport"/> shows besides how the model was trained.</summary>
public sealed record ReportOptions
{
    internal const int MaxTestSets = 20;

    /// <summary>Title of the page.</summary>
    /// <value>Default "Training report".</value>
    public string Title { get; init; } = "Training report";

    /// <summary>Test sets on which the model's prefixes are compared, with confusions, certain predictions and a map of embeddings for
    /// each.</summary>
    /// <value>At most 20. Default none.</value>
    public IReadOnlyList<ReportTestSet> TestSets { get; init; } = [];

    /// <summary>Images with captions, for examples of retrieval. At most 100 rows are read; a larger view is sampled, always with the same
    /// result.</summary>
    /// <value>Rows with the model's image and text columns. Default null: no examples.</value>
    public IDataView? Captioned { get; init; }

    /// <summary>Blends to compare besides the prefixes of the model's dataset types and no prefix.</summary>
    /// <value>Default none.</value>
    public IReadOnlyList<PrefixSelection> Blends { get; init; } = [];

    /// <summary>Another model to compare with, such as one that was trained without prefixes. It is used with its own default
    /// prefix, and reads the test sets' images.</summary>
    /// <value>Default null: the caption prefix is compared with the model's first other prefix.</value>
    public PrefixClipTransformer? Baseline { get; init; }

    /// <summary>What the report calls <see cref="Baseline"/>, within a sentence.</summary>
    /// <value>Default "the baseline".</value>
    public string BaselineName { get; init; } = "the baseline";

    /// <summary>Checks everything that can be checked without reading data.</summary>
    /// <exception cref="ArgumentException">A setting cannot be used; the message says which one.</exception>
    internal void Validate()
    {
        var names = TestSets.Select(test => test?.Name).ToArray();
        var fault =
            string.IsNullOrWhiteSpace(Title) ? $"{nameof(Title)} is empty; give the page a title."
            : string.IsNullOrWhiteSpace(BaselineName) ? $"{nameof(BaselineName)} is empty; name the other model."
            : names.Length > MaxTestSets
                ? $"There are {names.Length} test sets; a report shows at most {MaxTestSets}. Save several reports."
            : Array.FindIndex(names, string.IsNullOrWhiteSpace) is >= 0 and var unnamed
                ? $"The test set at index {unnamed} is null or has no name; give each a name."
            : TestSets.FirstOrDefault(test => test.Data is null) is { } empty ? $"The test set '{empty.Name}' has no data; pass a view."
            : names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice
                ? $"Two test sets have the name '{twice.Key}'; give each its own."
            : Blends.Any(blend => blend is null || blend.IsAuto)
                ? $"A blend is null or {nameof(PrefixSelection)}.{nameof(PrefixSelection.Auto)}; pass prefixes or blends of them."
            : null;
        if (fault is not null) throw new ArgumentException(fault);
        foreach (var test in TestSets) test.Classification?.Validate();
    }
}
