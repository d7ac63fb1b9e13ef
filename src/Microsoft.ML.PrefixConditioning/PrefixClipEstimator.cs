using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Trains a CLIP-style image-text model on captions and labels together, with a learned prefix per dataset type.</summary>
/// <remarks>
/// <para>Created by <see cref="PrefixClipCatalog.PrefixClip(TransformsCatalog, PrefixClipOptions)"/>. Requires the image, text and
/// dataset-type columns; the label column is optional. Reads the data once: texts and image locators stay in memory, images are decoded
/// during training.</para>
/// <para>Source: "Prefix Conditioning Unifies Language and Label Supervision", CVPR 2023, arXiv 2206.01125.</para>
/// </remarks>
public sealed class PrefixClipEstimator : IEstimator<PrefixClipTransformer>
{
    private const ulong WeightsPurpose = 5;

    private readonly IHost _host;
    private readonly PrefixClipOptions _options;
    private readonly ulong _seed;

    internal PrefixClipEstimator(IHostEnvironment environment, PrefixClipOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _host = environment.Register(nameof(PrefixClipEstimator));
        _options = options;
        _seed = (ulong)(options.Seed ?? _host.Rand.Next());
    }

    /// <summary>Trains a model on the view's rows.</summary>
    /// <param name="input">Rows with an image, a text and a dataset type; the label is optional.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    /// <exception cref="ArgumentException">An option does not match the rows (a batch size above the rows of a dataset type, a missing
    /// weight, an unknown validation prefix), or contradicts the initial weights.</exception>
    /// <exception cref="InvalidDataException">The rows cannot be used for training (empty texts, unknown dataset types, a single class,
    /// unreadable images); all checkpoints or the initial weights are damaged; or a checkpoint belongs to another run.</exception>
    /// <exception cref="IOException">The checkpoint folder is used by another process or is not writable (also when training is canceled),
    /// or a checkpoint or the vocabulary cannot be read.</exception>
    /// <exception cref="InvalidOperationException">The loss or a weight is no longer finite, a GPU is requested but there is none, or in a
    /// process group another rank failed or trains another run.</exception>
    /// <exception cref="OperationCanceledException">The cancellation token of the options or ML.NET's environment was canceled, or the
    /// process was told to stop (<see cref="CheckpointOptions.StopOnSignal"/>). The message says where the run can be
    /// resumed.</exception>
    /// <returns>The trained model. Dispose it after use.</returns>
    public PrefixClipTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var ranks = new Ranks(_options.ProcessGroup);
        using var cancellation = new RunCancellation(_host, _options);
        try
        {
            return Fit(input, _options with { CancellationToken = cancellation.Token }, ranks);
        }
        catch (Exception e)
        {
            ranks.Tell(e);   // or they would wait for this one
            if (e is OperationCanceledException && _options.CancellationToken.IsCancellationRequested)
                throw new OperationCanceledException(e.Message, e, _options.CancellationToken);   // the caller's token
            throw;
        }
    }

    /// <summary>Searches for the options that give the highest zero-shot accuracy on the validation set.</summary>
    /// <param name="input">The rows to train on, as for <see cref="Fit(IDataView)"/>.</param>
    /// <param name="tuning">How to search; null means the defaults.</param>
    /// <remarks>
    /// What is varied are the settings that have ML.NET's sweep attributes; docs/automl.md lists them. Models of worse trials are disposed.
    /// The result is optimistic, because the validation set chose it: test it on other images.
    /// </remarks>
    /// <returns>The best model, its options and all trials. Dispose it after use.</returns>
    /// <exception cref="ArgumentException">There is no <see cref="PrefixClipOptions.ValidationSet"/>, there is a
    /// <see cref="PrefixClipOptions.ProcessGroup"/>, or a setting of the search is out of its range.</exception>
    /// <exception cref="InvalidOperationException">Training failed in every trial.</exception>
    /// <exception cref="TimeoutException">The time ended before the first trial.</exception>
    /// <exception cref="IOException">The search's folder cannot be written to, or another process uses it.</exception>
    /// <exception cref="InvalidDataException">The folder has the trials of another search; or as for
    /// <see cref="Fit(IDataView)"/>.</exception>
    /// <exception cref="OperationCanceledException">As for <see cref="Fit(IDataView)"/>.</exception>
    public TuningResult Tune(IDataView input, TuningOptions? tuning = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        tuning ??= new TuningOptions();
        tuning.Validate();
        if (_options.ValidationSet is null)
            throw new ArgumentException($"Tuning compares accuracies: set {nameof(PrefixClipOptions.ValidationSet)}.");
        if (_options.ProcessGroup is not null)
            throw new ArgumentException($"Tuning runs in one process: set {nameof(PrefixClipOptions.ProcessGroup)} to null.");
        var seed = tuning.Seed is { } own ? (ulong)own : _seed;
        return new TuningRun(_host, _options with { Seed = (int)_seed }, tuning, seed,
            options => new PrefixClipEstimator(_host, options).Fit(input)).Run(input.GetRowCount());
    }

    private PrefixClipTransformer Fit(IDataView input, PrefixClipOptions options, Ranks ranks)
    {
        var device = TorchDevice.Resolve(_options.Device, GpuSettings.Of(_host), _options.ProcessGroup?.LocalRank ?? 0);
        var rows = TaggedRows.Read(input, options, _host);                                    // what to learn from
        var batchSize = BatchSize(rows);
        using var notInference = inference_mode(false);                                        // whatever mode the caller is in,
        using var gradients = enable_grad();                                                   // training needs gradients
        using var start = _options.InitialWeights is { } path ? PretrainedClip.Open(_host, path, options) : null;
        var tokenizer = start?.Tokenizer ?? CreateTokenizer(rows, options.CancellationToken);   // texts to ids
        if (start is not null) _options.Validate(start.Architecture);
        var settings = start?.SettingsFor(_options, rows.Types)
            ?? ModelSettings.From(_options, rows.Types, tokenizer.VocabularySize);
        var products = TorchDevice.ProductType(_options.Precision, device, settings.Architecture, _host);
        var seed = SeededRandom.Derive(_seed, WeightsPurpose).NextUInt64();
        var model = start?.Create(settings, device, seed, products, _options.UseTensorOperations)
            ?? ClipModel.Create(settings.Shape, device, seed, _options.UseTensorOperations, products);   // two towers and the prefixes
        try
        {
            var hash = start is null || _options.Checkpoints.Folder is null ? "" : start.HashOf(model, rows.Types);
            var setup = new TrainingSetup(options, settings, batchSize, hash) { Ranks = ranks };
            var history = ClipTrainer.Run(_host, model, tokenizer, rows, setup, _seed);         // the only long step
            var summaries = ranks.FromFirst(                                                   // where each type's images lie;
                ranks.IsFirst ? TrainingSummaries.Of(_host, model, rows, setup) : null);                // no rank failed in its last steps
            NativeHeap.Return();                                                               // no further step will use it
            return new PrefixClipTransformer(_host, new TrainedModel(model, tokenizer, settings, history) { Summaries = summaries });
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private int BatchSize(TaggedRows rows)
    {
        var size = rows.BatchSize(_options);
        if (_options.BatchSize is not null || size == PrefixClipOptions.DefaultBatchSize) return size;
        using var channel = _host.Start(nameof(Fit));
        channel.Info(MessageSensitivity.None, "{0}",
            $"{nameof(PrefixClipOptions.BatchSize)} is not set. A batch has {size} rows instead of " +
            $"{PrefixClipOptions.DefaultBatchSize}, because the dataset types have these numbers of rows: {rows.DescribeTypes()}.");
        return size;
    }

    /// <summary>Returns the columns of the trained model's output, given those of the input.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A required column is missing.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => EmbeddingColumns.AddTo(inputSchema, _options);

    private ClipTokenizer CreateTokenizer(TaggedRows rows, CancellationToken cancellation)
    {
        if (_options.VocabularyPath is { } path) return ClipTokenizer.FromFile(path);
        using var phase = new LongPhase(_host, "Learning the vocabulary", "texts");
        return ClipTokenizer.Learn(TrainingSentences(rows, phase), _options.VocabularySize, cancellation);
    }

    /// <summary>The texts that a vocabulary is learned from: captions as they are, class names in each template in turn.</summary>
    private IEnumerable<string> TrainingSentences(TaggedRows rows, LongPhase phase)
    {
        for (var row = 0; row < rows.Count; row++)
        {
            phase.Advance();
            yield return rows.Types[rows.DatasetTypes[row]].Texts == TextKind.Caption
                ? rows.Texts[row]
                : _options.PromptTemplates.Fill(row % _options.PromptTemplates.Count, rows.Texts[row]);
        }
    }
}
