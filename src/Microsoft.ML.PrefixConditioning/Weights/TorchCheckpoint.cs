using System.IO.Compression;
using System.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A checkpoint of <c>torch.save</c>, or a TorchScript program as OpenAI published its models: a ZIP archive with a pickle and one
/// file per storage. Nothing in it is executed; of a program only the attributes of its modules are read.</summary>
/// <remarks>
/// Source: PyTorch's zip format (since 1.6): <c>name/data.pkl</c>, <c>name/data/0</c>, ..., all stored without compression. Accepted are a
/// state dictionary of tensors, or a dictionary that has one under one of the names below, as training tools write it. No tensor takes
/// more memory than the file has bytes: compressed entries are refused.
/// </remarks>
internal sealed class TorchCheckpoint
{
    private const int MaxPickleBytes = 16 << 20;   // ViT-H/14 with its optimizer's state has less than 1 MB
    private const int MaxDepth = 4;              // of dictionaries around the state; a pickle can put one into itself
    private const int MaxModuleDepth = 32, MaxAttributes = 50_000;   // of a program; a module in several modules counts each time
    private const string PickleName = "data.pkl";

    // Where training tools have the state dictionary: open_clip and Lightning, DeepSpeed, and what tutorials teach.
    private static readonly string[] StateNames = ["state_dict", "model_state_dict", "model", "module"];

    private readonly long _length;
    private readonly ZipArchive _archive;
    private readonly string _root;

    private TorchCheckpoint(Stream stream)
    {
        CheckMagic(stream);
        _length = stream.Length;
        _archive = Guard(() => new ZipArchive(stream, ZipArchiveMode.Read));
        _root = Guard(FindRoot);
    }

    /// <summary>Opens a checkpoint.</summary>
    /// <param name="stream">Seekable; owned from here on, also when this fails.</param>
    /// <exception cref="InvalidDataException">The stream holds no such checkpoint, or more than a state dictionary.</exception>
    public static WeightFile Open(Stream stream)
    {
        try
        {
            var checkpoint = new TorchCheckpoint(stream);
            var tensors = checkpoint.StateOf(TorchPickle.Read(Guard(() => checkpoint.ReadSmall(PickleName, MaxPickleBytes)))).ToArray();
            checkpoint.CheckSizes(tensors);
            return new WeightFile(tensors.Select(t => new WeightEntry(t.Name, t.Tensor.Storage.Type, t.Tensor.Shape,
                destination => checkpoint.Read(t.Name, t.Tensor, destination))), new Dictionary<string, string>(),
                checkpoint._archive.Dispose);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    private void Read(string name, TorchPickle.Tensor tensor, Tensor destination)
    {
        if (destination.numel() == 0) return;
        Guard(() =>
        {
            using var data = Find($"data/{tensor.Storage.Key}")!.Open();
            Skip(data, tensor.Offset * WeightValues.BytesOf(tensor.Storage.Type));
            if (IsContiguous(tensor)) WeightValues.Read(data, tensor.Storage.Type, destination, name);
            else ReadStrided(data, tensor, destination, name);
            return 0;
        });
    }

    private static void ReadStrided(Stream data, TorchPickle.Tensor tensor, Tensor destination, string name)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var values = 1 + tensor.Shape.Zip(tensor.Strides, (size, stride) => (size - 1) * stride).Sum();   // from the first to the last one
        var storage = empty([values], ScalarType.Float32);
        WeightValues.Read(data, tensor.Storage.Type, storage, name);
        destination.view(tensor.Shape).copy_(storage.as_strided(tensor.Shape, tensor.Strides, 0));
    }

    private static bool IsContiguous(TorchPickle.Tensor tensor)
    {
        long step = 1;
        for (var i = tensor.Shape.Length - 1; i >= 0; i--)
        {
            if (tensor.Shape[i] != 1 && tensor.Strides[i] != step) return false;
            step *= tensor.Shape[i];
        }
        return true;
    }

    private static void CheckMagic(Stream stream)
    {
        Span<byte> magic = stackalloc byte[2];
        var read = stream.ReadAtLeast(magic, 2, throwOnEndOfStream: false);
        stream.Position = 0;
        if (read == 2 && magic is [(byte)'P', (byte)'K']) return;
        throw new InvalidDataException("This is no checkpoint of PyTorch 1.6 or later, which is a ZIP archive" +
            (read == 2 && magic is [0x80, _] ? ", but probably an older one, a bare pickle. Save it again with a newer PyTorch: " +
                "torch.save(torch.load(path, 'cpu'), other)." : ", and no safetensors file. Give the path of a model's weights."));
    }

    private string FindRoot()
    {
        var pickles = _archive.Entries.Where(e => e.FullName == PickleName || e.FullName.EndsWith($"/{PickleName}",
            StringComparison.Ordinal)).Take(2).ToArray();
        if (pickles.Length != 1)
            throw new InvalidDataException($"The archive holds {(pickles.Length == 0 ? "no" : "more than one")} '{PickleName}'; a " +
                "checkpoint of torch.save holds one.");
        return pickles[0].FullName[..^PickleName.Length];
    }

    private ZipArchiveEntry? Find(string name) => _archive.GetEntry(_root + name);

    private byte[] ReadSmall(string name, int most)
    {
        var entry = Find(name)!;
        if (entry.Length > most || entry.CompressedLength != entry.Length)
            throw new InvalidDataException($"'{name}' has {entry.Length} bytes, {entry.CompressedLength} in the archive; at most {most} " +
                "are read, and PyTorch compresses nothing.");
        using var data = entry.Open();
        var bytes = new byte[Math.Min(entry.Length, _length)];
        data.ReadExactly(bytes);
        return bytes;
    }

    private IEnumerable<(string Name, TorchPickle.Tensor Tensor)> StateOf(object? value)
    {
        if (Find("byteorder") is not null
            && Encoding.ASCII.GetString(Guard(() => ReadSmall("byteorder", 16))) is var order and not "little")
            throw new InvalidDataException($"The checkpoint's byte order is '{order}'; 'little' is read.");
        if (value is TorchPickle.Module program)
        {
            var (found, visited) = (new List<(string, TorchPickle.Tensor)>(), 0);
            AddParameters(found, program, "", 0, ref visited);
            return found;
        }
        var state = value as Dictionary<object, object?>
            ?? throw new InvalidDataException("The checkpoint holds no dictionary; expected a state dictionary: " +
                "torch.save(model.state_dict(), path).");
        var path = "";
        for (var depth = 0; depth < MaxDepth; depth++)
        {
            var names = StateNames.Where(n => state.GetValueOrDefault(n) is Dictionary<object, object?> inner && MayBeState(inner))
                .ToArray();
            if (names.Length == 0) break;
            if (names.Length > 1)
                throw new InvalidDataException($"The checkpoint holds several state dictionaries: {Listed(names)}. Save the wanted one " +
                    $"alone: {SaveAlone(path, names[0])}.");
            state = (Dictionary<object, object?>)state[names[0]]!;
            path += $"['{names[0]}']";
        }
        return state.Select(entry => entry is { Key: string name, Value: TorchPickle.Tensor tensor } ? (name, tensor)
            : throw new InvalidDataException($"The checkpoint's '{Printable(entry.Key)}' is no tensor; expected a dictionary of tensors, " +
                $"or one that has such a dictionary under {Listed(StateNames)}. If it is under another name, save it alone: " +
                $"{SaveAlone(path, "NAME")}."));
    }

    /// <summary>Adds the tensors of a module and of the modules in it, named by their paths.</summary>
    private static void AddParameters(
        List<(string Name, TorchPickle.Tensor Tensor)> found, TorchPickle.Module module, string path, int depth, ref int visited)
    {
        visited += 1 + module.Count;
        if (depth > MaxModuleDepth || visited > MaxAttributes)
            throw new InvalidDataException($"The program has more than {MaxAttributes} attributes, or more than {MaxModuleDepth} modules " +
                "inside one another. No CLIP model does: the file is damaged, or made to harm.");
        foreach (var (key, value) in module)
        {
            if (value is TorchPickle.Tensor tensor) found.Add(($"{path}{key}", tensor));
            else if (value is TorchPickle.Module inner) AddParameters(found, inner, $"{path}{key}.", depth + 1, ref visited);
        }
    }

    private static bool MayBeState(Dictionary<object, object?> value) =>
        value.Values.Any(v => v is TorchPickle.Tensor) || StateNames.Any(value.ContainsKey);

    private static string SaveAlone(string path, string name) => $"torch.save(torch.load(path, 'cpu'){path}['{name}'], other)";

    private static string Listed(IEnumerable<string> names) => string.Join(" or ", names.Select(n => $"\"{n}\""));

    private static string Printable(object key) => string.Concat($"{key}".Take(60).Select(c => char.IsControl(c) ? '?' : c));

    /// <summary>Nothing that the pickle claims may take more memory than the archive's bytes give.</summary>
    private void CheckSizes((string Name, TorchPickle.Tensor Tensor)[] tensors)
    {
        var total = 0.0;   // no overflow; a rounding error does not matter here
        foreach (var (name, tensor) in tensors)
        {
            var (storage, bytes) = (tensor.Storage, (long)WeightValues.BytesOf(tensor.Storage.Type));
            var entry = Find($"data/{storage.Key}")
                ?? throw new InvalidDataException($"The values of tensor '{name}' are missing: the archive has no 'data/{storage.Key}'. " +
                    "The file is damaged or truncated.");
            if (entry.CompressedLength != entry.Length || entry.Length / bytes != storage.Count || entry.Length % bytes != 0
                || entry.Length > _length)
                throw new InvalidDataException(
                    $"'data/{storage.Key}' has {entry.Length} bytes, {entry.CompressedLength} in the archive; tensor '{name}' needs " +
                        $"{storage.Count} values of {bytes} bytes, stored without compression.");
            total += tensor.Shape.Aggregate(1.0, (product, size) => product * size) * bytes;
        }
        if (total > _length)
            throw new InvalidDataException($"The tensors have {total:0} bytes together, the file {_length}: they share memory, " +
                "which no CLIP model's do.");
    }

    private static void Skip(Stream data, long count)
    {
        var buffer = new byte[Math.Min(count, 1 << 16)];
        while (count > 0)
        {
            var read = data.Read(buffer, 0, (int)Math.Min(count, buffer.Length));
            if (read == 0) throw new InvalidDataException("The archive ends inside a tensor. The file is truncated.");
            count -= read;
        }
    }

    /// <summary>Faults of the archive itself as what this class documents.</summary>
    private static T Guard<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or NotSupportedException or ArgumentException or OverflowException)
        {
            throw new InvalidDataException($"The checkpoint's archive is damaged: {e.Message}", e);
        }
    }
}
