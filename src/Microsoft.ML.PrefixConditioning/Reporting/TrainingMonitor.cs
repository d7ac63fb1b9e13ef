namespace Microsoft.ML.PrefixConditioning;

/// <summary>Shows or records the progress of training: values for <see cref="PrefixClipOptions.Progress"/>.</summary>
/// <remarks>Each is called on the training thread after every step and is meant for one run at a time. An error in one, such as a full
/// disk, ends <c>Fit</c> with that error.</remarks>
/// <example>
/// <code>
/// Progress = TrainingMonitor.All(TrainingMonitor.Bar(), TrainingMonitor.TensorBoard("runs/1"), TrainingMonitor.JsonLines("run.jsonl")),
/// </code>
/// </example>
public static class TrainingMonitor
{
    /// <summary>A progress bar: one line that is rewritten in a terminal, or a line per tenth of the run where output is
    /// redirected.</summary>
    /// <param name="title">What is trained. Default "Training".</param>
    /// <param name="output">Where to write, with a line per tenth. Null means the console.</param>
    /// <remarks>The bar fits into the terminal's width. It is drawn without colors, so it needs no <c>NO_COLOR</c>.</remarks>
    public static IProgress<TrainingProgress> Bar(string title = "Training", TextWriter? output = null)
    {
        ArgumentNullException.ThrowIfNull(title);
        return output is null ? TrainingBar.OnConsole(title) : new TrainingBar(title, output, () => null);
    }

    /// <summary>TensorBoard event files with loss, learning rate, images per second and validation accuracy of every step.</summary>
    /// <param name="folder">Folder of the run; it is created if it does not exist. A resumed run adds a file.</param>
    /// <remarks>Show them with <c>tensorboard --logdir</c> and the folder, or the folder above to compare runs.</remarks>
    /// <exception cref="ArgumentException">The folder's name is empty.</exception>
    /// <exception cref="IOException">The folder cannot be created.</exception>
    public static IProgress<TrainingProgress> TensorBoard(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        Directory.CreateDirectory(folder);
        return new TensorBoardLog(folder);
    }

    /// <summary>A text file with a JSON object per line: the properties of <see cref="TrainingProgress"/> in camel case and the time in
    /// UTC.</summary>
    /// <param name="path">The file. Lines are appended to an existing one, so a resumed run goes on in it.</param>
    /// <param name="steps">Steps from line to line, at least 1; steps with a validation and the last step always get a line.
    /// Default 1.</param>
    /// <remarks>Every line is written to the file before the next step. A loss that is not finite is a string, such as "NaN".</remarks>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="steps"/> is below 1.</exception>
    /// <exception cref="IOException">The folder of the file cannot be created.</exception>
    public static IProgress<TrainingProgress> JsonLines(string path, int steps = 1)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        path = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return new JsonLinesLog(path, steps);
    }

    /// <summary>Several of these, or your own, called in order.</summary>
    /// <param name="monitors">None of them null.</param>
    /// <exception cref="ArgumentException">One is null.</exception>
    public static IProgress<TrainingProgress> All(params IProgress<TrainingProgress>[] monitors)
    {
        ArgumentNullException.ThrowIfNull(monitors);
        if (Array.IndexOf(monitors, null) is >= 0 and var at)
            throw new ArgumentException($"The monitor at index {at} is null; leave it out.", nameof(monitors));
        return new Group([.. monitors]);
    }

    private sealed class Group(IProgress<TrainingProgress>[] monitors) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            foreach (var monitor in monitors) monitor.Report(value);
        }
    }
}
