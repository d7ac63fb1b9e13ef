using System.Text.Json.Nodes;

namespace PaperStudy;

/// <summary>What a study compares, on what data: the JSON file of <c>--config</c>. Every property is documented in
/// samples/PaperStudy/README.md.</summary>
internal sealed record StudyConfig
{
    /// <summary>Heading of the report.</summary>
    public required string Name { get; init; }

    /// <summary>A few sentences about data and question, for the report.</summary>
    public string Description { get; init; } = "";

    /// <summary>Folder that all paths are relative to, itself relative to the configuration's folder. Default that folder.</summary>
    public string Data { get; init; } = ".";

    /// <summary>What to do where the data folder is missing, for the error's text.</summary>
    public string? DataHint { get; init; }

    /// <summary>Seeds; every model is trained once with each.</summary>
    public IReadOnlyList<int> Seeds { get; init; } = [1, 2, 3];

    /// <summary>"CLIP", "UniCL" or both.</summary>
    public IReadOnlyList<string> Losses { get; init; } = ["CLIP", "UniCL"];

    /// <summary>Share of the test sets' classes on which choices are made; they are left out of the tested ones. 0 to 0.9.</summary>
    public double ValidationShare { get; init; } = 0.3;

    /// <summary>Pictures to draw for sources and test sets of kind "drawn"; null where none is.</summary>
    public DrawnConfig? Drawn { get; init; }

    /// <summary>Training data.</summary>
    public required IReadOnlyList<SourceConfig> Sources { get; init; }

    /// <summary>Test sets.</summary>
    public required IReadOnlyList<TestConfig> Tests { get; init; }

    /// <summary>Training settings of all models (<see cref="TrainingConfig"/>).</summary>
    public JsonObject Training { get; init; } = [];

    /// <summary>The ways to train. Default the paper's five.</summary>
    public IReadOnlyList<ModelConfig> Models { get; init; } = ModelConfig.Paper;

    /// <summary>Paired differences to report. Default prefixes against both naive ways, with the caption prefix and with what
    /// <see cref="Microsoft.ML.PrefixConditioning.PrefixSelection.Auto"/> chooses.</summary>
    public IReadOnlyList<ComparisonConfig> Comparisons { get; init; } = [];
}

/// <summary>How many pictures to draw.</summary>
internal sealed record DrawnConfig
{
    public int Seed { get; init; } = 1;

    public int LabeledPerClass { get; init; } = 200;

    public int Captioned { get; init; } = 9600;

    public int TestPerClass { get; init; } = 30;

    public int UnseenPerClass { get; init; } = 48;
}

/// <summary>One set of training rows: give one of folder, table, idxImages with idxLabels, or drawn.</summary>
internal sealed record SourceConfig
{
    /// <summary>Name of the dataset type, and so of its prefix.</summary>
    public required string Type { get; init; }

    /// <summary>Folder of class-name folders.</summary>
    public string? Folder { get; init; }

    /// <summary>TSV or CSV of images and captions.</summary>
    public string? Table { get; init; }

    /// <summary>Folder that the table's images are relative to. Default the table's.</summary>
    public string? Images { get; init; }

    /// <summary>Images in the IDX format of MNIST, plain or gzip.</summary>
    public string? IdxImages { get; init; }

    /// <summary>Labels in the IDX format of MNIST, plain or gzip.</summary>
    public string? IdxLabels { get; init; }

    /// <summary>Names of the IDX labels 0, 1, ...</summary>
    public IReadOnlyList<string>? ClassNames { get; init; }

    /// <summary>Part of the drawn pictures: "classification" or "captions".</summary>
    public string? Drawn { get; init; }

    /// <summary>Rows to draw of every class, with a fixed seed; null for all.</summary>
    public int? PerClass { get; init; }

    /// <summary>Whether the rows have captions, and not classes.</summary>
    public bool HasCaptions => Table is not null || Drawn == "captions";

    /// <summary>Whether a model with this <see cref="ModelConfig.Data"/> trains on it.</summary>
    public bool IsPartOf(string data) => data switch
    {
        "both" => true,
        "captions" => HasCaptions,
        "labels" => !HasCaptions,
        _ => Type == data,
    };
}

/// <summary>One test set: give one of folder, idxImages with idxLabels, or drawn.</summary>
internal sealed record TestConfig
{
    public required string Name { get; init; }

    public required TestRole Role { get; init; }

    /// <summary>Order from the labeled images' kind (0) to far from it.</summary>
    public int Distance { get; init; }

    public string Description { get; init; } = "";

    public string? Folder { get; init; }

    public string? IdxImages { get; init; }

    public string? IdxLabels { get; init; }

    public IReadOnlyList<string>? ClassNames { get; init; }

    public int? PerClass { get; init; }

    /// <summary>Name of a drawn test set.</summary>
    public string? Drawn { get; init; }

    /// <summary>What is divided between validation and test: "classes", or for few classes "images".</summary>
    public string SplitBy { get; init; } = "classes";
}

/// <summary>One way to train.</summary>
internal sealed record ModelConfig
{
    /// <summary>The paper's: each kind of data alone, both without prefixes in two kinds of batches, both with prefixes.</summary>
    public static IReadOnlyList<ModelConfig> Paper { get; } =
    [
        new()
        {
            Name = "captions only", Description = "Caption data alone.", Data = "captions",
            Training = new JsonObject { ["prefixLength"] = 0 },
        },
        new()
        {
            Name = "labels only", Description = "Classification data alone.", Data = "labels",
            Training = new JsonObject { ["prefixLength"] = 0 },
        },
        new()
        {
            Name = "both, mixed batches", Description = "Both without prefixes; batches are drawn from the union.",
            Training = new JsonObject { ["prefixLength"] = 0, ["batches"] = "Mixed" },
        },
        new()
        {
            Name = "both, per-dataset batches", Description = "Both without prefixes; every batch comes from one dataset type.",
            Training = new JsonObject { ["prefixLength"] = 0, ["batches"] = "PerDatasetType" },
        },
        new()
        {
            Name = "both, prefixes", Description = "Both with a learned prefix per dataset type; every batch comes from one type.",
            Training = new JsonObject { ["prefixLength"] = 1, ["batches"] = "PerDatasetType" },
        },
    ];

    public required string Name { get; init; }

    public string Description { get; init; } = "";

    /// <summary>"both" (all sources), "captions" or "labels", or the name of one dataset type.</summary>
    public string Data { get; init; } = "both";

    /// <summary>Settings that differ from the study's.</summary>
    public JsonObject Training { get; init; } = [];

    /// <summary>Test-time prefix of the main table. Default "none" without prefixes, else the caption prefix.</summary>
    public string? Prefix { get; init; }

    /// <summary>Losses, where not all of the study's; and seeds likewise.</summary>
    public IReadOnlyList<string>? Losses { get; init; }

    public IReadOnlyList<int>? Seeds { get; init; }
}

/// <summary>One model against others, paired by seed.</summary>
internal sealed record ComparisonConfig
{
    public required string Model { get; init; }

    /// <summary>Its test-time prefix. Default that of the main table.</summary>
    public string? Prefix { get; init; }

    public required IReadOnlyList<string> Against { get; init; }
}
