using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Trains a CLIP-style model and makes it a classifier of the classes in the label column: <see cref="PrefixClipEstimator"/> and
/// <see cref="ZeroShotClassificationEstimator"/> in one step, as ML.NET's own trainers are.</summary>
/// <remarks>
/// Created by <c>mlContext.MulticlassClassification.Trainers.PrefixClip</c>. Requires the image and the label column. A view without a text
/// column gets the labels as texts, and one without a dataset-type column gets the first type whose texts are class names.
/// </remarks>
public sealed class PrefixClipTrainer : IEstimator<ZeroShotClassificationTransformer>
{
    private readonly IHost _host;
    private readonly PrefixClipOptions _options;
    private readonly ZeroShotClassificationOptions _classification;

    internal PrefixClipTrainer(
        IHostEnvironment environment, PrefixClipOptions options, ZeroShotClassificationOptions classification)
    {
        options.Validate();
        (classification with { ClassNames = ["a", "b"] }).Validate();   // the names come with the data
        _host = environment.Register(nameof(PrefixClipTrainer));
        (_options, _classification) = (options, classification);
    }

    /// <summary>Trains a model on all rows, and a classifier of all labels.</summary>
    /// <param name="input">Rows with an image and a label. Rows without a label, such as captioned images, need a text and a dataset
    /// type.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or has the wrong type.</exception>
    /// <exception cref="InvalidDataException">There are fewer than two different labels; or as for
    /// <see cref="PrefixClipEstimator.Fit(IDataView)"/>.</exception>
    /// <exception cref="OperationCanceledException">As for <see cref="PrefixClipEstimator.Fit(IDataView)"/>.</exception>
    /// <inheritdoc cref="PrefixClipEstimator.Fit(IDataView)" path="/exception"/>
    /// <returns>The classifier. It owns the model; dispose it after use.</returns>
    public ZeroShotClassificationTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var label = ColumnReader.RequireTextOrKey(input.Schema, _options.Columns.Label, nameof(ClipColumns.Label));
        var names = ClassNames(input, label);
        var rows = WithTextAndType(input, label);
        var model = new PrefixClipEstimator(_host, _options).Fit(rows);
        try
        {
            var classifier = new ZeroShotClassificationEstimator(_host, model, _classification with { ClassNames = names }).Fit(rows);
            return classifier.Owning();
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Returns the columns of the classifier's output, given those of the input.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The image or the label column is missing or has the wrong type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        EmbeddingColumns.RequireImage(inputSchema, _options.Columns.Image, nameof(ClipColumns.Image), embeddingsFit: false);
        if (!inputSchema.TryFindColumn(_options.Columns.Label, out _))
            throw new ArgumentOutOfRangeException(nameof(inputSchema),
                $"There is no column '{_options.Columns.Label}' for the labels. Pass the name of the label column.");
        return ZeroShotColumns.AddTo(inputSchema, _classification);
    }

    /// <summary>The labels in the order in which they first occur; those of a key in its own order.</summary>
    private string[] ClassNames(IDataView input, DataViewSchema.Column label)
    {
        string[] names;
        if (label.Type is KeyDataViewType)
        {
            var values = default(VBuffer<ReadOnlyMemory<char>>);
            label.GetKeyValues(ref values);
            names = [.. values.DenseValues().Select(v => v.ToString())];
        }
        else names = ColumnReader.DifferentTexts(_host, input, label);
        return names.Length >= 2 ? names : throw new InvalidDataException(
            $"The label column '{label.Name}' has {names.Length} different label(s); at least two classes are needed to choose from.");
    }

    private IDataView WithTextAndType(IDataView input, DataViewSchema.Column label)
    {
        var (columns, transforms) = (_options.Columns, new TransformsCatalog(_host));
        if (input.Schema.GetColumnOrNull(columns.Text) is null)
        {
            IEstimator<ITransformer> copy = label.Type is KeyDataViewType
                ? transforms.Conversion.MapKeyToValue(columns.Text, label.Name) : transforms.CopyColumns(columns.Text, label.Name);
            input = copy.Fit(input).Transform(input);
        }
        if (input.Schema.GetColumnOrNull(columns.DatasetType) is not null) return input;
        var type = _options.DatasetTypes.FirstOrDefault(t => t.Texts == TextKind.ClassName) ?? throw new InvalidDataException(
            $"There is no column '{columns.DatasetType}', and no dataset type of the options has class names as texts. Add such a type " +
            $"to {nameof(PrefixClipOptions.DatasetTypes)}, or tag the rows with TagDatasetType.");
        return ConstantColumn.Create(transforms, type.Name, columns.DatasetType).Fit(input).Transform(input);
    }
}
