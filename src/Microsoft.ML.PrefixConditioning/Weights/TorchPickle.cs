using System.Buffers.Binary;
using System.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads the pickle of a PyTorch checkpoint as data: numbers, texts, lists, dictionaries and descriptions of tensors.</summary>
/// <remarks>
/// A pickle is a program, and Python's own reader calls whatever function it names. This one calls nothing: it knows the opcodes that
/// <c>torch.save</c> writes for plain state dictionaries and TorchScript for the attributes of modules, and a fixed list of names, each
/// with one meaning here; anything else is refused by name. Source: opcodes of Python's <c>pickletools</c>, protocol 2; names of
/// <c>torch/_utils.py</c>. Memory is bounded by the pickle's length, since an opcode makes at most one value.
/// </remarks>
internal sealed class TorchPickle
{
    private const int MaxOpcodes = 2_000_000;   // ViT-H/14 with its optimizer's state has about 100,000
    private const int MaxDimensions = 16;
    private const string Advice = "Nothing of it was executed. Save the state dictionary alone: torch.save(model.state_dict(), other) " +
        "in the program that has the model, or, where you trust the file, torch.save(torch.load(path, 'cpu', " +
        "weights_only=False)['state_dict'], other).";

    // The type of a storage's values, by the storage's name.
    private static readonly Dictionary<string, ScalarType> Storages =
        WeightValues.Types.ToDictionary(t => t.Storage, t => t.Type, StringComparer.Ordinal);

    // What training tools save beside the weights. Values of these are skipped over: nothing is called, and no such object is made.
    private static readonly HashSet<string> Skipped =
    [
        "argparse.Namespace", "types.SimpleNamespace", "collections.defaultdict", "collections.Counter", "datetime.datetime",
        "pathlib.PosixPath", "pathlib.WindowsPath", "__builtin__.set", "__builtin__.list", "__builtin__.dict", "__builtin__.int",
        "__builtin__.float", "__builtin__.bytes", "_codecs.encode", "numpy.dtype", "numpy.ndarray",
        "numpy.core.multiarray.scalar", "numpy.core.multiarray._reconstruct", "numpy._core.multiarray.scalar",
        "numpy._core.multiarray._reconstruct", "torch.jit._pickle.build_intlist", "torch.jit._pickle.build_doublelist",
        "torch.jit._pickle.build_boollist", "torch.jit._pickle.build_tensorlist", "torch.jit._pickle.restore_type_tag",
        "torch.Size", "torch.device", "torch.float32", "torch.float16", "torch.bfloat16",
    ];

    // Opcodes that are not read, by the names that pickletools has for them.
    private static readonly Dictionary<byte, string> OtherOpcodes = new()
    {
        [(byte)'i'] = "INST", [(byte)'o'] = "OBJ", [0x81] = "NEWOBJ", [0x92] = "NEWOBJ_EX", [0x93] = "STACK_GLOBAL", [(byte)'P'] = "PERSID",
        [0x82] = "EXT", [0x83] = "EXT", [0x84] = "EXT", [0x94] = "MEMOIZE", [0x95] = "FRAME", [0x8C] = "SHORT_BINUNICODE", [0x8B] = "LONG4",
        [(byte)'S'] = "STRING", [(byte)'U'] = "SHORT_BINSTRING", [(byte)'B'] = "BYTES", [(byte)'C'] = "BYTES", [(byte)'d'] = "DICT",
        [(byte)'l'] = "LIST", [(byte)'I'] = "INT",
    };

    private static readonly object Mark = new(), SkippedValue = new();

    private readonly byte[] _data;
    private readonly List<object?> _stack = [];
    private readonly Dictionary<int, object?> _memo = [];
    private int _position;

    private TorchPickle(byte[] data) => _data = data;

    /// <summary>The pickle's value: null, bool, long, double, string, list, array for a tuple, dictionary, <see cref="Tensor"/>, or
    /// <see cref="Module"/>.</summary>
    /// <exception cref="InvalidDataException">The pickle is damaged, or holds more than a state dictionary needs.</exception>
    public static object? Read(byte[] data) => new TorchPickle(data).Run();

    /// <summary>A tensor: a view of a storage, in values.</summary>
    internal sealed record Tensor(Storage Storage, long Offset, long[] Shape, long[] Strides);

    /// <summary>A tensor's memory: its file inside the checkpoint and the number of its values.</summary>
    internal sealed record Storage(ScalarType Type, string Key, long Count);

    /// <summary>The attributes of a TorchScript module, by name.</summary>
    internal sealed class Module : Dictionary<object, object?>;

    private sealed record Name(string Module, string Member)
    {
        public bool IsModule => Module == "__torch__" || Module.StartsWith("__torch__.", StringComparison.Ordinal);

        public bool IsSkipped => Skipped.Contains($"{Module}.{Member}");
    }

    private object? Run()
    {
        for (var count = 0; count < MaxOpcodes; count++)
        {
            var at = _position;
            var opcode = NextByte();
            switch (opcode)
            {
                case 0x80:
                    if (NextByte() is var version and not 2)
                        throw Fault($"it is of protocol {version}; protocol 2 is read, which torch.save writes by default.");
                    break;
                case (byte)'}': Push(new Dictionary<object, object?>()); break;
                case (byte)']': Push(new List<object?>()); break;
                case (byte)')': Push(Array.Empty<object?>()); break;
                case (byte)'(': Push(Mark); break;
                case (byte)'N': Push(null); break;
                case 0x88: Push(true); break;
                case 0x89: Push(false); break;
                case (byte)'K': Push((long)NextByte()); break;
                case (byte)'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Next(2))); break;
                case (byte)'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(Next(4))); break;
                case 0x8A: Push(ReadLong()); break;
                case (byte)'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Next(8))); break;
                case (byte)'X': Push(ReadText(BinaryPrimitives.ReadUInt32LittleEndian(Next(4)))); break;
                case (byte)'q': _memo[NextByte()] = Peek(); break;
                case (byte)'r': _memo[BinaryPrimitives.ReadInt32LittleEndian(Next(4))] = Peek(); break;
                case (byte)'h': Push(Recall(NextByte())); break;
                case (byte)'j': Push(Recall(BinaryPrimitives.ReadInt32LittleEndian(Next(4)))); break;
                case (byte)'t': Push(PopToMark().ToArray()); break;
                case 0x85: Push(PopMany(1)); break;
                case 0x86: Push(PopMany(2)); break;
                case 0x87: Push(PopMany(3)); break;
                case (byte)'c': Push(ReadName()); break;
                case (byte)'Q': Push(StorageOf(Pop())); break;
                case (byte)'R': Reduce(); break;
                case 0x81 when _stack is [.., Name { IsSkipped: true }, object?[]]: Skip(); break;
                case 0x81 when _stack is [.., Name { IsModule: true }, object?[] { Length: 0 }]:
                    PopMany(2);
                    Push(new Module());
                    break;
                case (byte)'b': Build(); break;
                case (byte)'s': SetItems(PopMany(2)); break;
                case (byte)'u': SetItems([.. PopToMark()]); break;
                case (byte)'a': Append(PopMany(1)); break;
                case (byte)'e': Append([.. PopToMark()]); break;
                case (byte)'.': return _stack.Count == 1 ? Pop() : throw Fault($"{_stack.Count} values are left at its end.");
                default:
                    throw new InvalidDataException(
                        $"The checkpoint's pickle uses the opcode 0x{opcode:X2} " +
                        $"({OtherOpcodes.GetValueOrDefault(opcode, "another one")}) at byte {at}, which no plain state " +
                        $"dictionary needs. {Advice}");
            }
        }
        throw Fault($"it has more than {MaxOpcodes} opcodes.");
    }

    private Name ReadName()
    {
        var name = new Name(ReadLine(), ReadLine());
        return name switch
        {
            ("collections", "OrderedDict") or ("torch._utils", "_rebuild_tensor_v2" or "_rebuild_parameter") => name,
            ("torch", var member) when Storages.ContainsKey(member) => name,
            { IsSkipped: true } or { IsModule: true } => name,
            _ => throw new InvalidDataException(
                $"The checkpoint's pickle names '{name.Module}.{name.Member}', which is not among the few names that are read (tensors " +
                    $"and OrderedDict). {Advice}"),
        };
    }

    /// <summary>A call, by name, of one of the three functions that are known.</summary>
    private void Reduce()
    {
        if (_stack is [.., Name { IsSkipped: true }, object?[]])
        {
            Skip();
            return;
        }
        var arguments = Pop() as object?[] ?? throw Fault("a call has no tuple of arguments.");
        var function = Pop() as Name ?? throw Fault("something that is no function is called.");
        switch (function.Member)
        {
            case "OrderedDict" when arguments.Length == 0:
                Push(new Dictionary<object, object?>());
                break;
            case "_rebuild_tensor_v2" when arguments is [Storage storage, long offset, object?[] shape, object?[] strides, ..]:
                Push(TensorOf(storage, offset, shape, strides));
                break;
            case "_rebuild_parameter" when arguments is [Tensor tensor, ..]:
                Push(tensor);
                break;
            default:
                throw Fault($"'{function.Module}.{function.Member}' is called with arguments that it never has in a state dictionary.");
        }
    }

    private Tensor TensorOf(Storage storage, long offset, object?[] shape, object?[] strides)
    {
        if (shape.Length != strides.Length || shape.Length > MaxDimensions || offset < 0 || !shape.Concat(strides).All(n => n is >= 0L))
            throw Fault($"a tensor has {shape.Length} sizes and {strides.Length} strides from value {offset}; sizes and strides are as " +
                $"many, 0 or more, and at most {MaxDimensions}.");
        var sizes = shape.Select(n => (long)n!).ToArray();
        var steps = strides.Select(n => (long)n!).ToArray();
        try
        {
            long count = 1, last = offset;
            for (var i = 0; i < sizes.Length; i++)
            {
                count = checked(count * sizes[i]);
                if (sizes[i] > 0) last = checked(last + (sizes[i] - 1) * steps[i]);
            }
            if (count > 0 && (last >= storage.Count || count > storage.Count - offset))
                throw Fault($"a tensor {WeightEntry.Describe(sizes)} reaches beyond the {storage.Count} values of its storage " +
                    $"'{storage.Key}'.");
        }
        catch (OverflowException)
        {
            throw Fault($"a tensor {WeightEntry.Describe(sizes)} has more values than can be counted.");
        }
        return new Tensor(storage, offset, sizes, steps);
    }

    private Storage StorageOf(object? id)
    {
        if (id is not object?[] { Length: 5 } parts || parts[0] is not "storage" || parts[1] is not Name { Module: "torch" } type
            || parts[2] is not string key || parts[3] is not string || parts[4] is not long count || count < 0)
            throw Fault("it refers to something outside that is no storage.");
        if (key.Length is 0 or > 20 || !key.All(char.IsAsciiLetterOrDigit))
            throw Fault($"a storage is called '{key}'; names of storages are numbers.");
        return new Storage(Storages[type.Member], key, count);
    }

    private void Skip()
    {
        PopMany(2);
        Push(SkippedValue);
    }

    /// <summary>A module's attributes. Those of an OrderedDict, such as a state dictionary's versions, are not needed.</summary>
    private void Build()
    {
        var state = Pop();
        if (Peek() is Module module)
        {
            if (state is not Dictionary<object, object?> attributes || module.Count > 0)
                throw Fault("a module's attributes are no dictionary, or are set twice.");
            foreach (var (name, value) in attributes) module.Add(name, value);
            return;
        }
        if (Peek() is not Dictionary<object, object?> && Peek() != SkippedValue) throw Fault("attributes are set on something that is " +
            "no dictionary.");
    }

    private void SetItems(object?[] items)
    {
        if (Peek() == SkippedValue) return;
        if (Peek() is not Dictionary<object, object?> dictionary || items.Length % 2 != 0)
            throw Fault("entries are set on something that is no dictionary.");
        for (var i = 0; i < items.Length; i += 2)
        {
            if (items[i] is not (string or long or double or bool)) throw Fault("a dictionary has a key that is neither text nor number.");
            if (!dictionary.TryAdd(items[i]!, items[i + 1])) throw Fault($"a dictionary has the key '{items[i]}' twice.");
        }
    }

    private void Append(object?[] items)
    {
        if (Peek() == SkippedValue) return;
        if (Peek() is not List<object?> list) throw Fault("values are added to something that is no list.");
        list.AddRange(items);
    }

    private long ReadLong()
    {
        var bytes = Next(NextByte());
        if (bytes.Length > 8) throw Fault($"it holds an integer of {bytes.Length} bytes; at most 8 are read.");
        long value = bytes.Length > 0 && (bytes[^1] & 0x80) != 0 ? -1 : 0;
        for (var i = bytes.Length - 1; i >= 0; i--) value = (value << 8) | bytes[i];
        return value;
    }

    private string ReadText(uint length)
    {
        if (length > _data.Length - _position) throw Fault($"a text of {length} bytes is promised, and {_data.Length - _position} follow.");
        return Encoding.UTF8.GetString(Next((int)length));
    }

    private string ReadLine()
    {
        const int Longest = 200;
        var rest = _data.AsSpan(_position, Math.Min(Longest, _data.Length - _position));
        var length = rest.IndexOf((byte)'\n');
        if (length < 0) throw Fault("a name has no end.");
        _position += length + 1;
        return Encoding.ASCII.GetString(rest[..length]);
    }

    private byte NextByte() => Next(1)[0];

    private ReadOnlySpan<byte> Next(int count)
    {
        if (count > _data.Length - _position) throw Fault("it ends early.");
        _position += count;
        return _data.AsSpan(_position - count, count);
    }

    private void Push(object? value) => _stack.Add(value);

    private object? Peek() => _stack.Count > 0 && _stack[^1] != Mark ? _stack[^1] : throw Fault("a value is used that is not there.");

    private object? Pop()
    {
        var value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private object?[] PopMany(int count)
    {
        var values = new object?[count];
        for (var i = count - 1; i >= 0; i--) values[i] = Pop();
        return values;
    }

    private List<object?> PopToMark()
    {
        var mark = _stack.LastIndexOf(Mark);
        if (mark < 0) throw Fault("a list of values has no beginning.");
        var values = _stack.GetRange(mark + 1, _stack.Count - mark - 1);
        _stack.RemoveRange(mark, _stack.Count - mark);
        return values;
    }

    private object? Recall(int number) => _memo.TryGetValue(number, out var value) ? value
        : throw Fault($"value {number} is recalled, and was never stored.");

    private InvalidDataException Fault(string what) => new($"The checkpoint's pickle cannot be read: {what} (byte {_position} of " +
        $"{_data.Length}.)");
}
