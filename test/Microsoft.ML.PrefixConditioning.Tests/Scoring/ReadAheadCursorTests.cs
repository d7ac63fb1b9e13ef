using System.Collections.Immutable;
using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class ReadAheadCursorTests : ScoringTests
{
    [TestMethod]
    public void Read_ColumnsOfAllTypes_PassThroughUnchanged()
    {
        var source = _mlContext.Transforms.Conversion.MapValueToKey("Key", "Text")
            .Append(_mlContext.Transforms.Categorical.OneHotEncoding("Sparse", "Text"))
            .Append(_mlContext.Transforms.Text.TokenizeIntoWords("Words", "Text"))
            .Fit(AllTypesRow.View(_mlContext)).Transform(AllTypesRow.View(_mlContext));
        var embedded = _model.Transform(source);

        foreach (var column in source.Schema.Where(c => !c.IsHidden))
            Assert.AreSequenceEqual(Values(source, column), Values(embedded, embedded.Schema[column.Name]), column.Name);
    }

    [TestMethod]
    public void Read_IdsAndBatches_AreTheSources()
    {
        var source = new WatchedView(AllTypesRow.View(_mlContext));
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
        var source = new WatchedView(AllTypesRow.View(_mlContext));
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
        var source = new WatchedView(AllTypesRow.View(_mlContext));
        var embedded = _model.Transform(source);
        using var cursor = embedded.GetRowCursor([embedded.Schema["Text"]]);
        Assert.IsTrue(cursor.MoveNext());
        Assert.AreEqual(1, source.RowsRead);
        Assert.IsFalse(cursor.IsColumnActive(embedded.Schema["ImageEmbedding"]));
    }

    [TestMethod]
    public void MoveNext_EmbeddingNeverAskedFor_DoesNotRunTheNetwork()
    {
        var embedded = _model.Transform(AllTypesRow.View(_mlContext));
        using var cursor = embedded.GetRowCursor(embedded.Schema);
        var embedding = cursor.GetGetter<VBuffer<float>>(embedded.Schema["ImageEmbedding"]);
        _model.Dispose();   // the network would fail now
        for (var row = 0; row < AllTypesRow.Count; row++) Assert.IsTrue(cursor.MoveNext());
        VBuffer<float> value = default;
        Assert.ThrowsExactly<ObjectDisposedException>(() => embedding(ref value));
    }

    [TestMethod]
    public void MoveNext_AllThreadPoolThreadsBusy_StillReads()
    {
        ThreadPool.GetMinThreads(out var minWorkers, out var minPorts);
        ThreadPool.GetMaxThreads(out var maxWorkers, out var maxPorts);
        var release = new ManualResetEventSlim();
        var count = 0;
        var reader = new Thread(() => count = _model.Transform(AllTypesRow.View(_mlContext)).GetColumn<float[]>("ImageEmbedding").Count());
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
        Assert.AreEqual(AllTypesRow.Count, count);
    }

    [TestMethod]
    public void Read_ImagesThatFillTheMemory_EndsTheBatchEarly()
    {
        using var model = ScoringModel.Transformer(BadRowPolicy.Skip);
        var large = new byte[RowBatchReader.MaxImageBytes / 2 + 1];
        var source = _mlContext.Data.LoadFromEnumerable(Enumerable.Repeat(new BytesRow { Image = large }, 3));
        var mapper = (ScoringMapper)model.GetRowToRowMapper(source.Schema);
        using var cursor = source.GetRowCursor(source.Schema);
        var reader = new RowBatchReader(cursor, [], mapper, new EncodedParts(Image: true, Text: false));
        Assert.AreEqual(2, reader.Read(64, CancellationToken.None)!.Count);
        Assert.AreEqual(1, reader.Read(64, CancellationToken.None)!.Count);
        Assert.IsNull(reader.Read(64, CancellationToken.None));
    }

    /// <summary>Every value of a column, as text.</summary>
    private static IEnumerable<string> Values(IDataView view, DataViewSchema.Column column) =>
        (IEnumerable<string>)typeof(ReadAheadCursorTests).GetMethod(
            nameof(TypedValues), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!
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
}
