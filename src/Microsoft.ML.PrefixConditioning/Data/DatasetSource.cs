using System.Text.Json.Serialization;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A kind of dataset with all its settings but the path. Data loaders save the settings as JSON.</summary>
/// <param name="DatasetType">Value of the dataset-type column.</param>
/// <param name="Columns">Names of the columns.</param>
[JsonDerivedType(typeof(ImageFolderSource), "ImageFolder")]
[JsonDerivedType(typeof(ImageCaptionSource), "ImageCaptions")]
internal abstract record DatasetSource(string DatasetType, SourceColumns Columns)
{
    /// <summary>Checks the settings.</summary>
    /// <exception cref="ArgumentException">A name is empty, or settings contradict each other.</exception>
    public virtual void Check()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(DatasetType, "datasetType");
        Columns.Checked();
    }

    /// <summary>Loads data in a phase of its own.</summary>
    public IDataView Load(IHostEnvironment environment, string path)
    {
        using var phase = Start(environment);
        return Load(phase, path);
    }

    /// <summary>Loads data.</summary>
    /// <param name="phase">Counts what is read.</param>
    /// <param name="path">Where the data are.</param>
    /// <returns>Columns image, text, dataset type and label.</returns>
    public abstract IDataView Load(LongPhase phase, string path);

    /// <summary>Starts the phase.</summary>
    protected abstract LongPhase Start(IHostEnvironment environment);
}
