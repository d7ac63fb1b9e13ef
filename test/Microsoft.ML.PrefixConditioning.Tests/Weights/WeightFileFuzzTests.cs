using static TorchSharp.torch;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>20,000 changed files of each reader's format together: read or refused with the documented exception, never more memory than
/// the file has.</summary>
[TestClass]
public sealed class WeightFileFuzzTests
{
    private const string Interesting = "0123456789-{}[]\",:.eE ctbRQXKJMqhusa()N\n";

    [TestMethod]
    public void Constructor_MutatedFiles_AreReadOrRefused()
    {
        var (refused, read) = (0, 0);
        byte[] safetensors, checkpoint = File.ReadAllBytes(Golden.Path("pretrained", "state_dict.pt")), training = File.ReadAllBytes(
            Golden.Path("pretrained", "training.pt"));
        using (NewDisposeScope())
        using (var stream = new MemoryStream())
        {
            Safetensors.Write(stream, [new("a", zeros(2, 3)), new("b.c", zeros([2], ScalarType.Float16)),
                new("e", zeros([0], ScalarType.BFloat16))]);
            safetensors = stream.ToArray();
        }
        var pickle = PickleOf(checkpoint);
        var index = "{\"weight_map\":{\"a\":\"x\",\"b.c\":\"x\",\"e\":\"x\"}}"u8.ToArray();
        var sources = new (byte[] Valid, Func<byte[], WeightFile?> Open)[]
        {
            (safetensors, bytes => Safetensors.Open(new MemoryStream(bytes))),
            (checkpoint, bytes => TorchCheckpoint.Open(new MemoryStream(bytes))),
            (training, bytes => TorchCheckpoint.Open(new MemoryStream(bytes))),
            (pickle, bytes => { TorchPickle.Read(bytes); return null; }),
            (index, bytes => WeightFile.Join(bytes, _ => Safetensors.Open(new MemoryStream(safetensors)))),
        };
        for (var seed = 0UL; seed < 20_000; seed++)
        {
            var (valid, open) = sources[seed % (ulong)sources.Length];
            var file = Mutate(valid, SeededRandom.Derive(seed, 78));
            try
            {
                using var weights = open(file);
                if (weights is not null) ReadAll(weights, file.Length + safetensors.Length);
                read++;
            }
            catch (InvalidDataException)
            {
                refused++;
            }
            catch (Exception e) when (e is not UnitTestAssertException)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
        }
        Assert.IsGreaterThan(5_000, refused);
        Assert.IsGreaterThan(1_000, read);
    }

    private static void ReadAll(WeightFile weights, long most)
    {
        using var scope = NewDisposeScope();
        Assert.IsLessThanOrEqualTo(most, weights.Entries.Values.Sum(e => e.Shape.Aggregate(1L, (a, b) =>
            checked(a * b)) * WeightValues.BytesOf(e.Type)));
        foreach (var entry in weights.Entries.Values)
            if (entry.Type is ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float64) entry.Read(
                empty(entry.Shape));
    }

    private static byte[] PickleOf(byte[] checkpoint)
    {
        using var zip = new System.IO.Compression.ZipArchive(new MemoryStream(checkpoint));
        using var bytes = new MemoryStream();
        using (var pickle = zip.Entries.Single(e => e.Name == "data.pkl").Open()) pickle.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static byte[] Mutate(byte[] valid, SeededRandom random)
    {
        var file = valid.ToList();
        for (var change = random.NextInt32(3); change >= 0 && file.Count > 0; change--)
        {
            var at = random.NextInt32(file.Count);
            var value = random.NextInt32(2) == 0 ? (byte)random.NextInt32(256) : (byte)Interesting[random.NextInt32(Interesting.Length)];
            switch (random.NextInt32(6))
            {
                case 0: file.Insert(at, value); break;
                case 1: file.RemoveAt(at); break;
                case 2: file.RemoveRange(at, Math.Min(file.Count - at, random.NextInt32(20))); break;
                case 3: file.AddRange(file.GetRange(at, Math.Min(file.Count - at, random.NextInt32(40)))); break;
                default: file[at] = value; break;
            }
        }
        return [.. file];
    }
}
