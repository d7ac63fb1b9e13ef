using System.Collections.Immutable;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ReadAheadCursorTests
{
    private const int Rows = 100;

    private static readonly byte[][] Files = [.. Enumerable.Range(0, 5).Select(ScoringModel.Encoded)];

    private readonly MLContext _mlContext = new(seed: 1);
    private PrefixClipTransformer _model = null!;

    [TestInitialize]
    public void MakeModel() => _model = ScoringModel.Transformer();

    [TestCleanup]
    public void DisposeModel() => _model.Dispose();

    [TestMethod]
    public void Read_ColumnsOfAllTypes_PassThroughUnchanged()
    {
        var source = _mlContext.Transforms.Conversion.MapValueToKey("Key", "Text")
            .Append(_mlContext.Transforms.Categorical.OneHotEncoding("Sparse", "Text"))
            .Append(_mlContext.Transforms.Text.TokenizeIntoWords("Words", "Text"))
            .Fit(Source()).Transform(Source());
        var embedded = _model.Transform(source);

        foreach (var column in source.Schema.Where(c => !c.IsHidden))
            Assert.AreSequenceEqual(Values(source, column), Values(embedded, embedded.Schema[column.Name]), column.Name);
    }

    [TestMethod]
    public void Read_IdsAndBatches_AreTheSources()
    {
        var source = new WatchedView(Source());
        var embedded = _model.Transform(source);
        using var expected = source.GetRowCursor(source.Schema);
        using var actual = embedded.GetRowCursor([embedded.Schema["ImageEmbedding"]]);
        var (expectedId, actualId) = (expected.GetIdGetter(), actual.GetIdGetter());
        DataViewRowId one = default, other = default;
        Assert.AreEqual(-1, actual.Position);
        while (expected.MoveNext())
        {
            Assert.IsTrue(actual.MoveNext());
            expectedId(ref one);
            actualId(ref other);
            Assert.AreEqual(one, other);
            Assert.AreEqual(expected.Position, actual.Position);
            Assert.AreEqual(expected.Batch, actual.Batch);
        }
        Assert.IsFalse(actual.MoveNext());
        Assert.IsFalse(actual.MoveNext());
        Assert.AreEqual(-1, actual.Position);
    }

    [TestMethod]
    public void Read_ReceiverDisposesItsImages_OthersAreUnharmed()
    {
        var images = Enumerable.Range(0, 30).Select(ScoringModel.Image).ToArray();
        images[4].Tag = "the fifth";
        var source = _mlContext.Data.LoadFromEnumerable(images.Select(i => new PixelsRow { Image = i }));
        var embedded = _model.Transform(source);
        using (var cursor = embedded.GetRowCursor(embedded.Schema))
        {
            var image = cursor.GetGetter<MLImage>(embedded.Schema["Image"]);
            var embedding = cursor.GetGetter<VBuffer<float>>(embedded.Schema["ImageEmbedding"]);
            for (var row = 0; cursor.MoveNext(); row++)
            {
                MLImage first = null!, second = null!;
                image(ref first);
                Assert.AreEqual(images[row].Tag, first.Tag);
                first.Dispose();
                image(ref second);
                Assert.IsTrue(images[row].Pixels.SequenceEqual(second.Pixels), $"Row {row}.");
                Assert.AreNotSame(images[row], second);
                VBuffer<float> value = default;
                embedding(ref value);
                Assert.AreEqual(8, value.Length);
            }
        }
        foreach (var image in images)
        {
            Assert.AreEqual(16, image.Width, "The source's image was disposed.");
            image.Dispose();
        }
    }

    [TestMethod]
    public void MoveNext_SlowConsumer_AtMostOneBatchIsReadAhead()
    {
        var source = new WatchedView(Source());
        var embedded = _model.Transform(source);
        using var cursor = embedded.GetRowCursor(embedded.Schema);
        Assert.AreEqual(0, source.RowsRead, "Rows were read before the first was asked for.");
        Assert.IsTrue(cursor.MoveNext());
        Assert.IsTrue(SpinWait.SpinUntil(() => source.RowsRead >= 24, TimeSpan.FromSeconds(20)), "Nothing is read ahead.");
        Thread.Sleep(100);
        Assert.AreEqual(8 + 16, source.RowsRead);
    }

    [TestMethod]
    public void MoveNext_OtherColumnsOnly_ReadsRowByRow()
    {
        var source = new WatchedView(Source());
        var embedded = _model.Transform(source);
        using var cursor = embedded.GetRowCursor([embedded.Schema["Text"]]);
        Assert.IsTrue(cursor.MoveNext());
        Assert.AreEqual(1, source.RowsRead);
        Assert.IsFalse(cursor.IsColumnActive(embedded.Schema["ImageEmbedding"]));
    }

    [TestMethod]
    public void MoveNext_EmbeddingNeverAskedFor_DoesNotRunTheNetwork()
    {
        var embedded = _model.Transform(Source());
        using var cursor = embedded.GetRowCursor(embedded.Schema);
        var embedding = cursor.GetGetter<VBuffer<float>>(embedded.Schema["ImageEmbedding"]);
        _model.Dispose();   // the network would fail now
        for (var row = 0; row < Rows; row++) Assert.IsTrue(cursor.MoveNext());
        VBuffer<float> value = default;
        Assert.ThrowsExactly<ObjectDisposedException>(() => embedding(ref value));
    }

    [TestMethod]
    public void Dispose_MidWay_EndsTheBackgroundWorkFirst()
    {
        for (var taken = 0; taken < 30; taken += 3)
        {
            var source = new WatchedView(Source());
            var embedded = _model.Transform(source);
            var cursor = embedded.GetRowCursor(embedded.Schema);
            for (var i = 0; i < taken; i++) Assert.IsTrue(cursor.MoveNext());
            cursor.Dispose();
            cursor.Dispose();
            var read = source.RowsRead;
            Assert.AreEqual(1, source.Disposed);
            Assert.IsFalse(cursor.MoveNext());
            Thread.Yield();
            Assert.AreEqual(read, source.RowsRead);
            Assert.AreEqual(0, source.UsedAfterDispose);
        }
    }

    [TestMethod]
    public void MoveNext_SourceFails_RowsBeforeAreGivenAndTheFaultStays()
    {
        var embedded = _model.Transform(new WatchedView(Source()) { FailingRow = 13 });
        using var cursor = embedded.GetRowCursor(embedded.Schema);
        var number = cursor.GetGetter<int>(embedded.Schema["Int"]);
        for (var row = 0; row < 13; row++)
        {
            Assert.IsTrue(cursor.MoveNext());
            var value = 0;
            number(ref value);
            Assert.AreEqual(row, value);
        }
        for (var again = 0; again < 2; again++)
            Assert.AreEqual("The disk is on fire.", Assert.ThrowsExactly<IOException>(() => cursor.MoveNext()).Message);
    }

    [TestMethod]
    public void GetRowCursor_SourceHasNoGetter_FaultComesAsItIsAndTheSourceIsDisposed()
    {
        var source = new WatchedView(Source()) { FailingColumn = "Text" };
        var embedded = _model.Transform(source);
        var error = Assert.ThrowsExactly<IOException>(() => embedded.GetRowCursor(embedded.Schema));
        Assert.AreEqual("No getter for Text.", error.Message);
        Assert.AreEqual(source.Opened, source.Disposed);
    }

    [TestMethod]
    public void GetGetter_WrongUse_SaysWhatToDo()
    {
        var embedded = _model.Transform(Source());
        using var cursor = embedded.GetRowCursor([embedded.Schema["ImageEmbedding"], embedded.Schema["Int"]]);
        Assert.IsTrue(cursor.IsColumnActive(embedded.Schema["Int"]));

        var inactive = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => cursor.GetGetter<float>(embedded.Schema["Single"]));
        Assert.Contains("Column 'Single' is not active in this cursor; name it when the cursor is created.", inactive.Message);
        var wrongType = Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<long>(embedded.Schema["Int"]));
        Assert.AreEqual("Column 'Int' is Int32; its values cannot be read as System.Int64.", wrongType.Message);
        wrongType = Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<float>(embedded.Schema["ImageEmbedding"]));
        Assert.AreEqual("Column 'ImageEmbedding' is Vector<Single, 8>; its values cannot be read as System.Single.", wrongType.Message);

        var number = cursor.GetGetter<int>(embedded.Schema["Int"]);
        var value = 0;
        var noRow = Assert.ThrowsExactly<InvalidOperationException>(() => number(ref value));
        Assert.AreEqual("The cursor stands on no row: call MoveNext first, and read values only while it returns true.", noRow.Message);
    }

    [TestMethod]
    public void MoveNext_BadImage_OnlyItsOwnEmbeddingFails()
    {
        var rows = Enumerable.Range(0, 40).Select(i => new BytesRow { Image = i == 19 ? [1, 2, 3] : Files[i % 5] }).ToArray();
        var embedded = _model.Transform(_mlContext.Data.LoadFromEnumerable(rows));
        using var cursor = embedded.GetRowCursor(embedded.Schema);
        var embedding = cursor.GetGetter<VBuffer<float>>(embedded.Schema["ImageEmbedding"]);
        VBuffer<float> value = default;
        for (var row = 0; cursor.MoveNext(); row++)
            if (row == 19)
                Assert.StartsWith("Row 20: An encoded image of 3 bytes is not an image that can be decoded", Assert.ThrowsExactly<InvalidDataException>(() => embedding(ref value)).Message);
            else
            {
                embedding(ref value);
                var expected = _model.EncodeImages([rows[row].Image])[0];
                for (var d = 0; d < 8; d++) Assert.AreEqual(expected[d], value.GetItemOrDefault(d), 1e-5f, $"Row {row}.");
            }
    }

    [TestMethod]
    public void MoveNext_AllThreadPoolThreadsBusy_StillReads()
    {
        ThreadPool.GetMinThreads(out var minWorkers, out var minPorts);
        ThreadPool.GetMaxThreads(out var maxWorkers, out var maxPorts);
        var release = new ManualResetEventSlim();
        var count = 0;
        var reader = new Thread(() => count = _model.Transform(Source()).GetColumn<float[]>("ImageEmbedding").Count());
        try
        {
            Assert.IsTrue(ThreadPool.SetMinThreads(1, minPorts) && ThreadPool.SetMaxThreads(Environment.ProcessorCount + 1, maxPorts));
            for (var i = 0; i < 4 * Environment.ProcessorCount; i++) ThreadPool.QueueUserWorkItem(_ => release.Wait());
            reader.Start();
            Assert.IsTrue(reader.Join(TimeSpan.FromSeconds(60)), "The cursor waits for a thread of the pool.");
        }
        finally
        {
            release.Set();
            reader.Join();
            ThreadPool.SetMaxThreads(maxWorkers, maxPorts);
            ThreadPool.SetMinThreads(minWorkers, minPorts);
        }
        Assert.AreEqual(Rows, count);
    }

    [TestMethod]
    public void Read_ImagesThatFillTheMemory_EndsTheBatchEarly()
    {
        using var model = ScoringModel.Transformer(BadImagePolicy.Skip);
        var large = new byte[RowBatchReader.MaxImageBytes / 2 + 1];
        var source = _mlContext.Data.LoadFromEnumerable(Enumerable.Repeat(new BytesRow { Image = large }, 3));
        var mapper = (ScoringMapper)model.GetRowToRowMapper(source.Schema);
        using var cursor = source.GetRowCursor(source.Schema);
        var reader = new RowBatchReader(cursor, [], mapper, new EncodedParts(Image: true, Text: false));
        Assert.AreEqual(2, reader.Read(64, CancellationToken.None)!.Count);
        Assert.AreEqual(1, reader.Read(64, CancellationToken.None)!.Count);
        Assert.IsNull(reader.Read(64, CancellationToken.None));
    }

    [TestMethod]
    public void Dispose_ModelWhileOthersScore_GivesExceptionsNotCrashes()
    {
        for (var round = 0; round < 5; round++)
        {
            var model = ScoringModel.Transformer();
            var view = model.Transform(Source());
            var readers = Enumerable.Range(0, 4).Select(_ => Task.Run(() => view.GetColumn<float[]>("ImageEmbedding").Count())).ToArray();
            SpinWait.SpinUntil(() => false, TimeSpan.FromMilliseconds(5 * round));
            model.Dispose();
            foreach (var reader in readers)
                try
                {
                    Assert.AreEqual(Rows, reader.GetAwaiter().GetResult());
                }
                catch (ObjectDisposedException e)
                {
                    Assert.Contains("The model was disposed.", e.Message);
                }
        }
    }

    private IDataView Source() => _mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, Rows).Select(i => new AllTypesRow
    {
        Image = Files[i % Files.Length], Text = $"thing {i % 7}", Bool = i % 3 == 0, Byte = (byte)i, Int = i, Long = -i * 10_000_000_000, Single = i / 3f,
        Double = i / 7.0, Time = TimeSpan.FromSeconds(i), Date = new DateTime(2020, 1, 1).AddDays(i), Numbers = [i, i + 1, i + 2],
        Varying = [.. Enumerable.Range(0, i % 4).Select(v => (double)v)],
    }));

    /// <summary>Every value of a column, as text.</summary>
    private static IEnumerable<string> Values(IDataView view, DataViewSchema.Column column) =>
        (IEnumerable<string>)typeof(ReadAheadCursorTests).GetMethod(nameof(TypedValues), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!
            .MakeGenericMethod(column.Type.RawType).Invoke(null, [view, column])!;

    private static ImmutableArray<string> TypedValues<T>(IDataView view, DataViewSchema.Column column)
    {
        var values = ImmutableArray.CreateBuilder<string>();
        using var cursor = view.GetRowCursor(view.Schema);
        var getter = cursor.GetGetter<T>(column);
        T value = default!;
        while (cursor.MoveNext())
        {
            getter(ref value);
            values.Add(value is VBuffer<float> f ? $"{f.Length} {f.IsDense} {string.Join(' ', f.Items())}"
                : value is VBuffer<double> d ? $"{d.Length} {d.IsDense} {string.Join(' ', d.Items())}"
                : value is VBuffer<byte> b ? Convert.ToHexString(b.GetValues())
                : value is VBuffer<ReadOnlyMemory<char>> t ? string.Join('|', t.Items())
                : $"{value}");
        }
        return values.ToImmutable();
    }

    private sealed class AllTypesRow
    {
        public byte[] Image { get; set; } = [];
        public string Text { get; set; } = "";
        public bool Bool { get; set; }
        public byte Byte { get; set; }
        public int Int { get; set; }
        public long Long { get; set; }
        public float Single { get; set; }
        public double Double { get; set; }
        public TimeSpan Time { get; set; }
        public DateTime Date { get; set; }

        [VectorType(3)]
        public float[] Numbers { get; set; } = [];

        public double[] Varying { get; set; } = [];
    }

    private sealed class BytesRow
    {
        public byte[] Image { get; set; } = [];
    }

    private sealed class PixelsRow
    {
        [ImageType(16, 16)]
        public MLImage? Image { get; set; }
    }
}
