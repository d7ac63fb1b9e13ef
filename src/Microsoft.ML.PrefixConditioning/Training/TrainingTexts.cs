namespace Microsoft.ML.PrefixConditioning;

/// <summary>The texts of a batch as token ids: captions as they are, class names through a prompt template.</summary>
/// <remarks>
/// Every row draws its own template. If all rows of a class had the same sentence, the CLIP and UniCL losses would be equal. Each distinct
/// text of a batch is encoded once; loss and gradients are the same.
/// </remarks>
internal sealed class TrainingTexts
{
    private const ulong TemplatePurpose = 3;

    private readonly TaggedRows _rows;
    private readonly int[] _textOfRow;                                  // rows with equal texts have the same number
    private readonly ClipTokenizer _tokenizer;
    private readonly int _contextLength;
    private readonly PromptTemplates _templates;
    private readonly ulong _seed;
    private readonly Lock _lock = new();   // batches are composed ahead, and again where a row was replaced
    private readonly Dictionary<(int Text, int Template), int[]> _tokens = [];

    public TrainingTexts(TaggedRows rows, ClipTokenizer tokenizer, int contextLength, PromptTemplates templates, ulong seed)
    {
        (_rows, _tokenizer, _contextLength, _templates, _seed) = (rows, tokenizer, contextLength, templates, seed);
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        _textOfRow = new int[rows.Count];
        for (var row = 0; row < rows.Count; row++)
        {
            if (!numbers.TryGetValue(rows.Texts[row], out var number)) numbers.Add(rows.Texts[row], number = numbers.Count);
            _textOfRow[row] = number;
        }
    }

    /// <summary>The distinct texts of a batch, and which of them each row has.</summary>
    public BatchTexts Compose(int[] batch, int step)
    {
        var places = new Dictionary<(int Text, int Template, int Type), int>();
        var texts = new List<int[]>();
        var types = new List<long>();
        var textOfRow = new long[batch.Length];
        for (var i = 0; i < batch.Length; i++)
        {
            var type = _rows.DatasetTypes[batch[i]];
            var key = (Text: _textOfRow[batch[i]], Template: Template(batch[i], type, step), Type: type);
            if (!places.TryGetValue(key, out var place))
            {
                places[key] = place = texts.Count;
                texts.Add(Tokens(batch[i], key.Text, key.Template));
                types.Add(type);
            }
            textOfRow[i] = place;
        }
        return new BatchTexts(TokenBatch.Pad(texts), [.. types], textOfRow);
    }

    /// <summary>The template of one row in one step; -1 for a caption, which has none.</summary>
    private int Template(int row, int type, int step) => _rows.Types[type].Texts == TextKind.ClassName
        ? SeededRandom.Derive(_seed, TemplatePurpose, (ulong)step, (ulong)row).NextInt32(_templates.Count)
        : -1;

    private int[] Tokens(int row, int text, int template)
    {
        using var one = _lock.EnterScope();
        if (!_tokens.TryGetValue((text, template), out var tokens))
        {
            var sentence = template < 0 ? _rows.Texts[row] : _templates.Fill(template, _rows.Texts[row]);
            _tokens.Add((text, template), tokens = _tokenizer.Encode(sentence, _contextLength));
        }
        return tokens;
    }
}
