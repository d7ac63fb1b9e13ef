using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Tensorboard;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>The progress bar, the TensorBoard files and the JSON lines of a run.</summary>
[TestClass]
public sealed class TrainingMonitorTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("prefix-monitor-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    public void Bar_RedirectedOutput_GetsALinePerTenth()
    {
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        var bar = TrainingMonitor.Bar("Fitting", output);

        for (var step = 1; step <= 200; step++) bar.Report(Step(step, 200));

        var lines = output.ToString().ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        Assert.HasCount(10, lines);
        Assert.AreEqual("Fitting  10 %  step 20/200  epoch 1/2  loss 2.500  rate 1.0e-3  640 images/s  2:05 left", lines[0]);
        Assert.StartsWith("Fitting 100 %", lines[^1]);
        Assert.DoesNotContain("\u001b", output.ToString(), "No escape codes: colors are never set.");
    }

    [TestMethod]
    [DataRow(20)]
    [DataRow(60)]
    [DataRow(200)]
    public void Bar_Terminal_RewritesALineThatFits(int columns)
    {
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        var bar = new TrainingBar("Fitting", output, () => columns);

        for (var step = 1; step <= 100; step++) bar.Report(Step(step, 100));

        var text = output.ToString();
        Assert.EndsWith(Environment.NewLine, text, "The line ends with the run.");
        var lines = text[..^Environment.NewLine.Length].Split('\r', StringSplitOptions.RemoveEmptyEntries);
        Assert.IsGreaterThan(1, lines.Length);
        Assert.IsTrue(lines.All(line => line.Length < columns && !line.Contains('\n', StringComparison.Ordinal)));
        Assert.StartsWith("Fitting [#######", lines[^1]);
    }

    [TestMethod]
    public void Bar_SecondRun_StartsAgain()
    {
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        var bar = TrainingMonitor.Bar(output: output);

        for (var run = 0; run < 2; run++)
            for (var step = 1; step <= 10; step++) bar.Report(Step(step, 10));

        Assert.AreEqual(20, output.ToString().Count(c => c == '\n'));
    }

    [TestMethod]
    public void TensorBoard_Run_WritesRecordsThatReadBack()
    {
        var start = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var monitor = TrainingMonitor.TensorBoard(Path.Combine(_folder, "runs", "1"));
        monitor.Report(Step(1, 2));
        monitor.Report(Step(2, 2) with { ValidationAccuracy = 0.75 });

        var events = Events(Directory.GetFiles(Path.Combine(_folder, "runs", "1")).Single());

        Assert.AreEqual("brain.Event:2", events[0].FileVersion);
        Assert.AreEqual(
            "1 train/loss 2.5, 1 train/learning_rate 0.001, 1 train/images_per_second 640, " +
            "2 train/loss 2.5, 2 train/learning_rate 0.001, 2 train/images_per_second 640, 2 validation/accuracy 0.75",
            string.Join(", ", events.Skip(1).Select(e => string.Create(
                CultureInfo.InvariantCulture, $"{e.Step} {e.Summary.Value.Single().Tag} {e.Summary.Value.Single().SimpleValue}"))));
        foreach (var written in events.Skip(1)) Assert.IsInRange(start, start + 600, written.WallTime);
    }

    [TestMethod]
    public void JsonLines_EveryThirdStep_HasThoseTheLastAndValidations()
    {
        var path = Path.Combine(_folder, "new", "run.jsonl");
        var monitor = TrainingMonitor.JsonLines(path, steps: 3);

        for (var step = 1; step <= 8; step++)
            monitor.Report(Step(step, 8) with { ValidationAccuracy = step == 4 ? 0.5 : null, Loss = step == 6 ? double.NaN : 2.5 });

        var lines = Lines(path);
        CollectionAssert.AreEqual((int[])[3, 4, 6, 8], lines.Select(line => line.GetProperty("step").GetInt32()).ToArray());
        Assert.AreEqual(0.5, lines[1].GetProperty("validationAccuracy").GetDouble());
        Assert.IsFalse(lines[0].TryGetProperty("validationAccuracy", out _));
        Assert.AreEqual("NaN", lines[2].GetProperty("loss").GetString());
        Assert.AreEqual(
            "time step totalSteps epoch totalEpochs loss learningRate imagesPerSecond secondsLeft",
            string.Join(" ", lines[0].EnumerateObject().Select(p => p.Name)));
        Assert.AreEqual(DateTimeKind.Utc, lines[0].GetProperty("time").GetDateTime().Kind);
    }

    [TestMethod]
    public void JsonLines_ResumedAfterAKill_GoesOnInALineOfItsOwn()
    {
        var path = Path.Combine(_folder, "run.jsonl");
        File.WriteAllText(path, "{\"step\":1}\n{\"step\":2,\"lo");

        var monitor = TrainingMonitor.JsonLines(path);
        monitor.Report(Step(2, 3));
        monitor.Report(Step(3, 3));

        var lines = File.ReadAllLines(path);
        Assert.HasCount(4, lines);
        Assert.AreEqual("{\"step\":2,\"lo", lines[1]);
        Assert.Contains("\"step\":3", lines[3]);
    }

    [TestMethod]
    public void All_WholeFit_ReportsToEveryMonitor()
    {
        using var data = new DrawnData();
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        var path = Path.Combine(_folder, "run.jsonl");
        var own = new Reports();

        using var model = data.Fit(DrawnData.Options with
        {
            Progress = TrainingMonitor.All(TrainingMonitor.Bar(output: output), TrainingMonitor.TensorBoard(_folder),
                TrainingMonitor.JsonLines(path), own),
        });

        Assert.HasCount(model.History.Steps.Count, own.All);
        Assert.HasCount(model.History.Steps.Count, Lines(path));
        Assert.HasCount(1 + (3 * model.History.Steps.Count), Events(Directory.GetFiles(_folder, "events*").Single()));
        Assert.Contains("100 %", output.ToString());
        Assert.AreEqual(model.History.Steps[^1].Loss, Lines(path)[^1].GetProperty("loss").GetDouble(), 1e-6);
    }

    [TestMethod]
    public void Monitors_UnusableArguments_SayWhatToDo()
    {
        Assert.AreEqual("The monitor at index 1 is null; leave it out. (Parameter 'monitors')", Assert.ThrowsExactly<ArgumentException>(
            () => TrainingMonitor.All(new Reports(), null!)).Message);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => TrainingMonitor.JsonLines("run.jsonl", 0));
        Assert.ThrowsExactly<ArgumentException>(() => TrainingMonitor.TensorBoard(" "));
        File.WriteAllText(Path.Combine(_folder, "file"), "");
        Assert.ThrowsExactly<IOException>(() => TrainingMonitor.TensorBoard(Path.Combine(_folder, "file")));
    }

    private static TrainingProgress Step(int step, int total) =>
        new(step, total, step <= total / 2 ? 1 : 2, 2, 2.5, 1e-3, 640, TimeSpan.FromSeconds(125), null);

    private static JsonElement[] Lines(string path) =>
        [.. File.ReadAllLines(path).Select(line => JsonSerializer.Deserialize<JsonElement>(line))];

    // TFRecord: u64 length, its masked CRC, the event, its masked CRC.
    private static List<Event> Events(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var events = new List<Event>();
        for (var at = 0; at < bytes.Length;)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
            var content = bytes.AsSpan(at + 12, length);
            Assert.AreEqual(MaskedCrc(bytes.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)));
            Assert.AreEqual(MaskedCrc(content), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)));
            events.Add(Event.Parser.ParseFrom(content.ToArray()));   // its code is too old to read a span
            at += length + 16;
        }
        return events;
    }

    private static uint MaskedCrc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes) crc = BitOperations.Crc32C(crc, value);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }
}
