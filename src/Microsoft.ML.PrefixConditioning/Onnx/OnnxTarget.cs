namespace Microsoft.ML.PrefixConditioning;

/// <summary>The files of an exported model: the model, and for large models its weights. Both are replaced, or neither.</summary>
/// <param name="path">The model's path.</param>
/// <param name="dataPath">Path of the file with the weights.</param>
internal sealed class OnnxTarget(string path, string dataPath)
{
    private readonly string _mark = $".{Guid.NewGuid():N}.tmp";

    /// <summary>Writes to temporary files in the same folder and moves them into place.</summary>
    /// <param name="writeModel">Writes the model.</param>
    /// <param name="writeData">Writes the weights; null if the model holds them.</param>
    /// <exception cref="IOException">A file cannot be written; the older ones are still there.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public void Write(Action<Stream> writeModel, Action<Stream>? writeData)
    {
        RequireWritable(path);
        if (writeData is not null) RequireWritable(dataPath);
        try
        {
            if (writeData is not null) AtomicFile.WriteThrough(dataPath + _mark, writeData);
            AtomicFile.WriteThrough(path + _mark, writeModel);
            if (writeData is null) File.Move(path + _mark, path, overwrite: true);
            else ReplaceBoth();
        }
        finally
        {
            File.Delete(path + _mark);   // nothing is there after a success
            File.Delete(dataPath + _mark);
        }
    }

    /// <summary>Moves the weights into place, then the model; the older weights come back if the model cannot be moved.</summary>
    private void ReplaceBoth()
    {
        var older = File.Exists(dataPath) ? $"{dataPath}{_mark}.old" : null;
        if (older is not null) File.Move(dataPath, older);
        try
        {
            File.Move(dataPath + _mark, dataPath);
            File.Move(path + _mark, path, overwrite: true);
        }
        catch
        {
            File.Delete(dataPath);
            if (older is not null) File.Move(older, dataPath);
            throw;
        }
        if (older is not null) File.Delete(older);
    }

    private static void RequireWritable(string place)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(place))!;
        if (Directory.Exists(place)) throw new IOException($"'{place}' is a folder. Add a file name.");
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"{MissingPath.Describe(folder)} Create the folder first.");
        if (File.Exists(place) && File.GetAttributes(place).HasFlag(FileAttributes.ReadOnly))
            throw new UnauthorizedAccessException($"'{place}' exists and is read-only. Allow writing to it, or choose another path.");
    }
}
