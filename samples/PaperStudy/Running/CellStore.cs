using System.Text.Json;
using Samples;

namespace PaperStudy;

/// <summary>The finished cells of a study, one JSON file each. Several processes may work on one folder.</summary>
internal sealed class CellStore(string folder)
{
    private const int WaitMilliseconds = 200;

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
            return result?.Key == cell.Key ? result with { Loss = cell.Loss } : null;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"The finished cell '{path}' is damaged: {e.Message} Delete the file, and the cell runs again.", e);
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
    public IDisposable? Claim(StudyCell cell)
    {
        try
        {
            return new FileStream(Path.Combine(Cells, cell.FileName + ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException)
        {
            return null;   // another process holds it
        }
    }

    /// <summary>Waits until no other process prepares data in this folder, and keeps others waiting until it is disposed.</summary>
    public IDisposable Prepare()
    {
        while (true)
        {
            try
            {
                return new FileStream(Path.Combine(folder, "preparing.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException or PathTooLongException))
            {
                Thread.Sleep(WaitMilliseconds);
            }
        }
    }

    /// <summary>Where a cell's training keeps its checkpoints.</summary>
    public string CheckpointFolder(StudyCell cell) => Path.Combine(folder, "checkpoints", cell.FileName);

    /// <summary>Where a cell's trained model is kept, if it is.</summary>
    public string ModelPath(StudyCell cell) => Path.Combine(folder, "models", cell.FileName + ".zip");

    private string ResultPath(StudyCell cell) => Path.Combine(Cells, cell.FileName + ".json");
}
