using System.Text.Json;

namespace PaperStudy;

/// <summary>The finished cells of a study, one JSON file each. Several processes may work on one folder.</summary>
internal sealed class CellStore(string folder)
{
    private const int WaitMilliseconds = 200, WaitsBeforeWord = 10;

    // What IOException.HResult holds where a file is locked: an HRESULT on Windows, EWOULDBLOCK elsewhere.
    private const int SharingViolation = unchecked((int)0x80070020), TryAgainLinux = 11, TryAgainMac = 35;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private string Cells { get; } = Directory.CreateDirectory(Path.Combine(folder, "cells")).FullName;

    /// <summary>The finished cell, or null.</summary>
    public CellResult? Find(StudyCell cell)
    {
        var path = ResultPath(cell);
        if (!File.Exists(path)) return null;
        try
        {
            var result = JsonSerializer.Deserialize<CellResult>(File.ReadAllText(path), Json);
            // The key does not hold names: a model may have another one now.
            return result?.Key == cell.Key ? result with { Model = cell.Model.Name, Loss = cell.Loss } : null;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"The finished cell '{path}' is damaged: {e.Message} Delete the file, and the cell runs again.",
                e);
        }
    }

    /// <summary>Keeps a finished cell, in one move.</summary>
    public void Keep(StudyCell cell, CellResult result)
    {
        OutputFile.Replace(ResultPath(cell), JsonSerializer.Serialize(result, Json));
        var checkpoints = CheckpointFolder(cell);
        if (Directory.Exists(checkpoints)) Directory.Delete(checkpoints, recursive: true);
    }

    /// <summary>Takes a cell for this process, or returns null where another process has it. Ends with the process.</summary>
    public IDisposable? Claim(StudyCell cell) => TryLock(Path.Combine(Cells, cell.FileName + ".lock"), FileOptions.DeleteOnClose);

    /// <summary>Waits until no other process does the same in this folder, and keeps others waiting until it is disposed.</summary>
    /// <param name="lockName">Name of the lock.</param>
    /// <param name="what">What it is for, such as "prepares data".</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public IDisposable Alone(string lockName, string what, CancellationToken cancellation = default)
    {
        for (var waits = 0; ; waits++)
        {
            if (TryLock(Path.Combine(folder, lockName + ".lock"), FileOptions.None) is { } held) return held;
            if (waits == WaitsBeforeWord) Console.WriteLine($"Another process {what} in '{folder}'; waiting for it ...");
            cancellation.WaitHandle.WaitOne(WaitMilliseconds);
            cancellation.ThrowIfCancellationRequested();
        }
    }

    // Null only where another process holds the file: a full disk or a name that is too long is an error.
    private static FileStream? TryLock(string path, FileOptions options)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, options);
        }
        catch (IOException e) when (e.HResult is SharingViolation or TryAgainLinux or TryAgainMac)
        {
            return null;
        }
    }

    /// <summary>Where a cell's training keeps its checkpoints.</summary>
    public string CheckpointFolder(StudyCell cell) => Path.Combine(folder, "checkpoints", cell.FileName);

    /// <summary>Where a cell's trained model is kept, if it is.</summary>
    public string ModelPath(StudyCell cell) => Path.Combine(folder, "models", cell.FileName + ".zip");

    private string ResultPath(StudyCell cell) => Path.Combine(Cells, cell.FileName + ".json");
}
