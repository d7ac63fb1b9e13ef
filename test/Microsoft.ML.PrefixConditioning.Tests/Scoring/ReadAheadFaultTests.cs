using Microsoft.ML.Data;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Cursors that meet faults, are left early, or used in the wrong way.</summary>
[TestClass]
public sealed class ReadAheadFaultTests : ScoringTests
{
    [TestMethod]
    public void Dispose_MidWay_EndsTheBackgroundWorkFirst()
    {
        for (var taken = 0; taken < 30; taken += 3)
        {
            var source = new WatchedView(AllTypesRow.View(_mlContext));
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
        var embedded = _model.Transform(new WatchedView(AllTypesRow.View(_mlContext)) { FailingRow = 13 });
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
        var source = new WatchedView(AllTypesRow.View(_mlContext)) { FailingColumn = "Text" };
        var embedded = _model.Transform(source);
        var error = Assert.ThrowsExactly<IOException>(() => embedded.GetRowCursor(embedded.Schema));
        Assert.AreEqual("No getter for Text.", error.Message);
        Assert.AreEqual(source.Opened, source.Disposed);
    }

    [TestMethod]
    public void GetGetter_WrongUse_SaysWhatToDo()
    {
        var embedded = _model.Transform(AllTypesRow.View(_mlContext));
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
        Assert.AreEqual("The cursor is not on a row: call MoveNext first, and read values only while it returns true.", noRow.Message);
    }

    [TestMethod]
    public void MoveNext_BadImage_OnlyItsOwnEmbeddingFails()
    {
        var rows = Enumerable.Range(0, 40).Select(i => new BytesRow { Image = i == 19 ? [1, 2, 3] : AllTypesRow.Files[i % 5] }).ToArray();
        var embedded = _model.Transform(_mlContext.Data.LoadFromEnumerable(rows));
        using var cursor = embedded.GetRowCursor(embedded.Schema);
        var embedding = cursor.GetGetter<VBuffer<float>>(embedded.Schema["ImageEmbedding"]);
        VBuffer<float> value = default;
        for (var row = 0; cursor.MoveNext(); row++)
            if (row == 19)
                Assert.StartsWith("Row 20: An encoded image of 3 bytes is not an image that can be decoded",
                    Assert.ThrowsExactly<InvalidDataException>(() => embedding(ref value)).Message);
            else
            {
                embedding(ref value);
                var expected = _model.EncodeImages([rows[row].Image])[0];
                for (var d = 0; d < 8; d++) Assert.AreEqual(expected[d], value.GetItemOrDefault(d), 1e-5f, $"Row {row}.");
            }
    }

    [TestMethod]
    public void Dispose_ModelWhileOthersScore_GivesExceptionsNotCrashes()
    {
        for (var round = 0; round < 5; round++)
        {
            var model = ScoringModel.Transformer();
            var view = model.Transform(AllTypesRow.View(_mlContext));
            var readers = Enumerable.Range(0, 4).Select(_ => Task.Run(() => view.GetColumn<float[]>("ImageEmbedding").Count())).ToArray();
            SpinWait.SpinUntil(() => false, TimeSpan.FromMilliseconds(5 * round));
            model.Dispose();
            foreach (var reader in readers)
                try
                {
                    Assert.AreEqual(AllTypesRow.Count, reader.GetAwaiter().GetResult());
                }
                catch (ObjectDisposedException e)
                {
                    Assert.Contains("The model was disposed.", e.Message);
                }
        }
    }
}
