using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>How a model was trained: loss and learning rate of every step, and the validation accuracy of every epoch.</summary>
/// <remarks>Saved with the model. Immutable.</remarks>
public sealed class TrainingHistory
{
    internal TrainingHistory(IReadOnlyList<TrainingStep> steps, IReadOnlyList<ValidationAccuracy> validations, int skippedRows,
        IReadOnlyList<string>? skipReasons = null) =>
        (Steps, Validations, SkippedRows, SkipReasons) = (steps, validations, skippedRows, skipReasons ?? []);

    /// <summary>A model that was not trained here.</summary>
    internal static TrainingHistory Empty { get; } = new([], [], 0);

    /// <summary>Every step in order.</summary>
    public IReadOnlyList<TrainingStep> Steps { get; }

    /// <summary>Zero-shot accuracy after every epoch; empty without a validation set.</summary>
    public IReadOnlyList<ValidationAccuracy> Validations { get; }

    /// <summary>Rows of the view that <c>Fit</c> could not use and left out (<see cref="BadRowPolicy.Skip"/>).</summary>
    public int SkippedRows { get; }

    /// <summary>What was left out and why, in sentences with the number of rows and the first fault: rows that sources left out when they
    /// were loaded, rows that <c>Fit</c> could not use, and images that could not be read.</summary>
    /// <value>At most one sentence for each; empty if all rows were used.</value>
    public IReadOnlyList<string> SkipReasons { get; }

    // i32 steps, then f32 loss and f32 rate each; i32 validations, then i32 epoch and f64 accuracy each; i32 skipped rows;
    // i32 reasons, then a string each, which older files lack.
    internal void Write(Stream stream)
    {
        using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(Steps.Count);
        foreach (var step in Steps)
        {
            writer.Write(step.Loss);
            writer.Write(step.LearningRate);
        }
        writer.Write(Validations.Count);
        foreach (var validation in Validations)
        {
            writer.Write(validation.Epoch);
            writer.Write(validation.Accuracy);
        }
        writer.Write(SkippedRows);
        writer.Write(SkipReasons.Count);
        foreach (var reason in SkipReasons) writer.Write(reason);
    }

    internal static TrainingHistory Read(Stream stream)
    {
        using var reader = new BinaryReader(stream, Encoding.UTF8, leaveOpen: true);
        var steps = new List<TrainingStep>();
        for (var count = reader.ReadInt32(); count > 0; count--) steps.Add(new TrainingStep(reader.ReadSingle(), reader.ReadSingle()));
        var validations = new List<ValidationAccuracy>();
        for (var count = reader.ReadInt32(); count > 0; count--)
            validations.Add(new ValidationAccuracy(reader.ReadInt32(), reader.ReadDouble()));
        var skipped = reader.ReadInt32();
        var reasons = new List<string>();
        if (stream.Position < stream.Length)
            for (var count = reader.ReadInt32(); count > 0; count--) reasons.Add(reader.ReadString());
        return new TrainingHistory(steps, validations, skipped, reasons);
    }
}

/// <summary>One optimizer step.</summary>
/// <param name="Loss">Loss of the step's batch, before the step.</param>
/// <param name="LearningRate">Learning rate of the step.</param>
public readonly record struct TrainingStep(float Loss, float LearningRate);

/// <summary>The validation after one epoch.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Accuracy">Zero-shot accuracy, 0 to 1.</param>
public readonly record struct ValidationAccuracy(int Epoch, double Accuracy);
