namespace Microsoft.ML.PrefixConditioning;

/// <summary>Pillow's bicubic weights along one axis: which source pixels contribute to each resized pixel, and with what weight.</summary>
/// <remarks>
/// Source: Pillow 9.4.0, <c>Resample.c</c>, checked bit for bit against its results (<c>golden/preprocess</c>). Positions are
/// relative to the axis' source start. Immutable, so threads can share it.
/// </remarks>
internal sealed class ResampleWeights
{
    /// <summary>Fixed-point weights: 1.0 is 2^22, so that a pixel times a weight, and the sum of them, fit into 32 bits.</summary>
    public const int FractionBits = 32 - 8 - 2;

    /// <summary>Weights are stored in groups of this many, the last one filled up with zeros, for vector code.</summary>
    public const int GroupSize = 4;

    private const double CubicParameter = -0.5;   // Pillow's and Keys' choice; OpenCV and torch's tensors use -0.75
    private const double CubicSupport = 2;

    private short[]? _split;

    /// <summary>Computes the weights of an axis' kept pixels.</summary>
    public ResampleWeights(ResampleAxis axis)
    {
        var scale = axis.Source.Length / axis.ResizedLength;
        var widening = Math.Max(scale, 1);   // when shrinking, the filter grows so that every source pixel counts
        var narrowing = 1 / widening;
        var support = CubicSupport * widening;
        var longest = Math.Min(((long)Math.Ceiling(support) * 2) + 1, axis.SourceLength);
        Stride = (int)(longest + GroupSize - 1) / GroupSize * GroupSize;
        Starts = new int[axis.Count];
        Lengths = new int[axis.Count];
        Values = new int[checked(axis.Count * Stride)];
        Span<double> weights = longest <= 256 ? stackalloc double[(int)longest] : new double[longest];
        for (var i = 0; i < axis.Count; i++)
        {
            var center = axis.Source.Start + ((axis.First + i + 0.5) * scale);
            var start = (int)Math.Max(center - support + 0.5, 0);
            var end = (int)Math.Min(center + support + 0.5, axis.SourceLength);
            var sum = 0.0;
            for (var k = start; k < end; k++)
                sum += weights[k - start] = Cubic((k - center + 0.5) * narrowing);
            for (var k = 0; k < end - start; k++)
            {
                var share = sum == 0 ? weights[k] : weights[k] / sum;
                Values[(i * Stride) + k] = (int)((share * (1 << FractionBits)) + (share < 0 ? -0.5 : 0.5));
            }
            Starts[i] = start;
            Lengths[i] = end - start;
        }
    }

    /// <summary>Distance between the weights of two kept pixels; a multiple of <see cref="GroupSize"/>.</summary>
    public int Stride { get; }

    /// <summary>[kept] first source pixel of each.</summary>
    public int[] Starts { get; }

    /// <summary>[kept] number of source pixels of each.</summary>
    public int[] Lengths { get; }

    /// <summary>[kept, Stride] weights; 0 behind <see cref="Lengths"/>.</summary>
    public int[] Values { get; }

    /// <summary>First source pixel that any kept pixel needs.</summary>
    public int FirstSource => Starts[0];

    /// <summary>One past the last source pixel that any kept pixel needs.</summary>
    public int EndSource => Starts[^1] + Lengths[^1];

    /// <summary>Memory that the weights take, with <see cref="Split"/>.</summary>
    public long ByteSize => ((long)Values.Length * 8) + (Starts.Length * 8L);

    /// <summary>The weights as pairs of 16-bit numbers, for instructions that multiply no wider ones: value = high * 2^15 + low.</summary>
    /// <value>Per group of four weights the four low parts (0 to 32767), then the four high parts.</value>
    public short[] Split => _split ??= MakeSplit();

    private short[] MakeSplit()
    {
        var split = new short[Values.Length * 2];
        for (var i = 0; i < Values.Length; i++)
        {
            var at = (i / GroupSize * GroupSize * 2) + (i % GroupSize);
            split[at] = (short)(Values[i] & 0x7FFF);
            split[at + GroupSize] = (short)(Values[i] >> 15);
        }
        return split;
    }

    private static double Cubic(double x)
    {
        const double A = CubicParameter;
        x = Math.Abs(x);
        return x < 1 ? ((((A + 2) * x) - (A + 3)) * x * x) + 1
            : x < 2 ? (((((x - 5) * x) + 8) * x) - 4) * A
            : 0;
    }
}
