using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Microsoft.ML.Data;
using Microsoft.ML.Model.OnnxConverter;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The columns that the classifier adds to a schema: score, predicted label, the predicted class as text if wanted, and the label
/// as a key if the input has one.</summary>
internal sealed class ZeroShotMapper : ScoringMapper
{
    private const int Score = 0, PredictedLabel = 1, PredictedClass = 2;   // the last only if the classifier has its column
    private const string LabelSetting = nameof(ZeroShotClassificationOptions.LabelColumnName);

    private readonly ZeroShotClassifier _classifier;
    private readonly IChannelProvider _log;
    private readonly ClassKeys _keys;
    private readonly StrongBox<(long Unmatched, long Labels)> _warned = new();
    private readonly DataViewSchema.Column? _label;
    private readonly DataViewSchema.Column _image;

    /// <param name="log">ML.NET's log.</param>
    /// <param name="model">Gives the model, where the input has images.</param>
    /// <param name="classifier">The classifier.</param>
    /// <param name="input">Schema of the input.</param>
    public ZeroShotMapper(IChannelProvider log, Func<TrainedModel> model, ZeroShotClassifier classifier, DataViewSchema input)
        : base(input, Added(classifier, input))
    {
        (_log, _classifier) = (log, classifier);
        _keys = new ClassKeys(classifier.ClassNames);
        _label = LabelOf(input, classifier.LabelColumnName);
        _image = ZeroShotColumns.RequireImage(input, classifier.ImageColumnName, classifier.EmbeddingSize);
        if (!ZeroShotColumns.IsEmbedding(_image)) Encoder = new EmbeddingEncoder(model(), classifier.Prefix);
    }

    public override EmbeddingEncoder? Encoder { get; }

    public override DataViewSchema.Column? ImageColumn => _image;

    public override void SaveAsOnnx(OnnxContext context, DataViewSchema rows)
    {
        var place = _classifier.ScoreColumnName;
        var step = new OnnxStep(context, rows, place);
        if (Encoder is null) Classify(step.Take(_image.Name));
        else Encoder.Add(step, _image, Classify);
        if (_label is not { } label) return;
        step.MakeOptional(label);
        SaveLabels(context, $"{place}/label", step.Variable(label.Name), label, AddedColumn(AddedCount - 1));

        void Classify(string embeddings)
        {
            var (graph, classes) = (step.Graph, _classifier.ToOnnx());
            var scores = OnnxExport.Scores(graph, embeddings, classes);
            var best = graph.Add("ArgMax", "/classes", [scores], OnnxAttribute.Of("axis", -1), OnnxAttribute.Of("keepdims", 1));   // [N, 1]
            var key = graph.Add("Cast", "/key", [graph.Add("Add", "/key", [best, graph.Integer(1)])],
                OnnxAttribute.Of("to", (long)OnnxElement.UInt32));
            step.Give(scores, AddedColumn(Score));
            step.Give(key, AddedColumn(PredictedLabel));
            if (IsPredictedClass(PredictedClass))
                step.Give(graph.Add("Gather", "/classes", [OnnxExport.ClassNames(graph, classes), best]), AddedColumn(PredictedClass));
            step.Write();
        }
    }

    /// <summary>Adds the keys of labels to the ONNX model. Texts are compared with the class names character by character.</summary>
    private void SaveLabels(
        OnnxContext context, string place, string labels, DataViewSchema.Column label, DataViewSchema.Column key)
    {
        var keys = context.AddIntermediateVariable(null, $"{place}/keys", skip: true);
        if (label.Type is TextDataViewType)
        {
            var encoder = context.CreateNode("LabelEncoder", labels, keys, context.GetNodeName($"{place}/LabelEncoder"));
            encoder.AddAttribute("keys_strings", _keys.Names);
            AddKeys(encoder, Enumerable.Range(1, _keys.Names.Length).Select(i => (long)i));
        }
        else
        {
            VBuffer<ReadOnlyMemory<char>> texts = default;
            label.GetKeyValues(ref texts);
            var numbers = AddCast(labels, context.AddIntermediateVariable(null, $"{place}/numbers", skip: true), typeof(long));
            var encoder = context.CreateNode("LabelEncoder", numbers, keys, context.GetNodeName($"{place}/LabelEncoder"));
            encoder.AddAttribute("keys_int64s", Enumerable.Range(1, texts.Length).Select(i => (long)i));
            AddKeys(encoder, texts.DenseValues().Select(text => (long)_keys.Find(text.Span)));
        }
        AddCast(keys, context.AddIntermediateVariable(key.Type, key.Name), typeof(uint));

        static void AddKeys(OnnxNode encoder, IEnumerable<long> values)
        {
            encoder.AddAttribute("values_int64s", values);
            encoder.AddAttribute("default_int64", 0L);   // a missing key
        }

        string AddCast(string from, string to, Type type)
        {
            context.CreateNode("Cast", from, to, context.GetNodeName($"{place}/Cast"), "").AddAttribute("to", type);
            return to;
        }
    }

    public override LabelCount? CountLabels() =>
        _label is null ? null : new LabelCount(_log, _keys, _classifier.LabelColumnName, _warned);

    public override bool NeedsImage(int added) => added < PredictedClass || IsPredictedClass(added);

    private bool IsPredictedClass(int added) => added == PredictedClass && _classifier.PredictedClassColumnName is not null;

    public override IEnumerable<DataViewSchema.Column> Dependencies(int added) => [NeedsImage(added) ? _image : _label!.Value];

    public override Delegate CreateGetter(int added, DataViewRow row, EncodedRow encoded, LabelCount? labels)
    {
        switch (added)
        {
            case Score:
                return (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
                {
                    var scores = encoded.Scores(_classifier, row.Position);
                    var editor = VBufferEditor.Create(ref value, scores.Length);
                    scores.CopyTo(editor.Values);
                    value = editor.Commit();
                });
            case PredictedLabel:
                return (ValueGetter<uint>)((ref uint value) =>
                {
                    value = (uint)(Predicted(encoded, row) + 1);   // 0 is a missing key
                });
            case PredictedClass when IsPredictedClass(added):
                return (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) =>
                {
                    value = Predicted(encoded, row) is >= 0 and var predicted ? _classifier.ClassNames[predicted].AsMemory() : default;
                });
            default:
                var textGetter = ColumnReader.TextGetter(row, _label!.Value);
                return (ValueGetter<uint>)((ref uint value) =>
                {
                    ReadOnlyMemory<char> text = default;
                    textGetter(ref text);
                    value = labels!.Find(text.Span, row.Position);
                });
        }
    }

    /// <summary>Index of the most probable class; -1 for a missing image.</summary>
    private int Predicted(EncodedRow encoded, DataViewRow row)
    {
        var scores = encoded.Scores(_classifier, row.Position);
        return float.IsNaN(scores[0]) ? -1 : TensorPrimitives.IndexOfMax(scores);
    }

    /// <exception cref="ArgumentOutOfRangeException">The column is a key without names.</exception>
    private static DataViewSchema.Column? LabelOf(DataViewSchema input, string name) => input.GetColumnOrNull(name)?.Type switch
    {
        TextDataViewType or KeyDataViewType => ColumnReader.RequireTextOrKey(input, name, LabelSetting),
        _ => null,
    };

    private static List<DataViewSchema.DetachedColumn> Added(ZeroShotClassifier classifier, DataViewSchema input)
    {
        var names = new VBuffer<ReadOnlyMemory<char>>(classifier.ClassNames.Length,
            [.. classifier.ClassNames.Select(n => n.AsMemory())]);
        var key = new KeyDataViewType(typeof(uint), names.Length);
        var scoreSet = AnnotationUtils.GetMaxAnnotationKind(input, out _, AnnotationUtils.Kinds.ScoreColumnSetId) + 1;
        var score = OfScoreSet(scoreSet, AnnotationUtils.Const.ScoreValueKind.Score);
        AddNames(score, AnnotationUtils.Kinds.SlotNames, names);
        AddNames(score, AnnotationUtils.Kinds.TrainingLabelValues, names);
        var predicted = OfScoreSet(scoreSet, AnnotationUtils.Const.ScoreValueKind.PredictedLabel);
        AddNames(predicted, AnnotationUtils.Kinds.KeyValues, names);
        var added = new List<DataViewSchema.DetachedColumn>
        {
            new(classifier.ScoreColumnName, new VectorDataViewType(NumberDataViewType.Single, names.Length), score.ToAnnotations()),
            new(classifier.PredictedLabelColumnName, key, predicted.ToAnnotations()),
        };
        if (classifier.PredictedClassColumnName is { } name) added.Add(new(name, TextDataViewType.Instance));
        if (LabelOf(input, classifier.LabelColumnName) is not null)
        {
            var label = new DataViewSchema.Annotations.Builder();
            AddNames(label, AnnotationUtils.Kinds.KeyValues, names);
            added.Add(new(classifier.LabelColumnName, key, label.ToAnnotations()));
        }
        return added;
    }

    /// <summary>The annotations by which ML.NET's evaluators recognize columns of one model.</summary>
    private static DataViewSchema.Annotations.Builder OfScoreSet(uint scoreSet, string valueKind)
    {
        var builder = new DataViewSchema.Annotations.Builder();
        builder.Add<uint>(
            AnnotationUtils.Kinds.ScoreColumnSetId, AnnotationUtils.ScoreColumnSetIdType, (ref uint value) => value = scoreSet);
        AddText(builder, AnnotationUtils.Kinds.ScoreColumnKind, AnnotationUtils.Const.ScoreColumnKind.MulticlassClassification);
        AddText(builder, AnnotationUtils.Kinds.ScoreValueKind, valueKind);
        return builder;
    }

    private static void AddNames(DataViewSchema.Annotations.Builder builder, string kind, VBuffer<ReadOnlyMemory<char>> names) =>
        builder.Add<VBuffer<ReadOnlyMemory<char>>>(kind, new VectorDataViewType(TextDataViewType.Instance, names.Length),
            (ref VBuffer<ReadOnlyMemory<char>> value) => names.CopyTo(ref value));

    private static void AddText(DataViewSchema.Annotations.Builder builder, string kind, string text) =>
        builder.Add<ReadOnlyMemory<char>>(kind, TextDataViewType.Instance, (ref ReadOnlyMemory<char> value) => value = text.AsMemory());
}
