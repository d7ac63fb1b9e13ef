namespace Microsoft.ML.PrefixConditioning;

/// <summary>The texts of a batch as token ids: captions as they are, class names through a prompt template.</summary>
/// <remarks>
/// Every row draws its own template. If all rows of a class had the same sentence, the CLIP and UniCL losses would be equal. Each distinct
/// text of a batch is encoded once; loss and gradients are the same.
/// </remarks>
internal sealed class TrainingTexts
{
    private const ulong TemplatePurpose = 3;
    private const int MostKept = 1 << 16;   // sentences; about 10 MB

    private readonly TaggedRows _rows;
    private readonly ClipTokenizer _tokenizer;
    private readonly int _contextLength;
    private readonly PromptTemplates _templates;
    private readonly ulong _seed;
    private readonly Lock _lock = new();   // batches are composed ahead, and again where a row was replaced
    private readonly Dictionary<(int Text, int Template), int[]> _tokens = [];   // of class names, which come again and again

    public TrainingTexts(TaggedRows rows, ClipTokenizer tokenizer, int contextLength, PromptTemplates templates, ulong seed) =>
        (_rows, _tokenizer, _contextLength, _templates, _seed) = (rows, tokenizer, contextLength, templates, seed);

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
            var key = (Text: _rows.Texts.Numbers[batch[i]], Template: Template(batch[i], type, step), Type: type);
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
        if (template < 0) return _tokenizer.Encode(_rows.Texts[row], _contextLength);
        using var one = _lock.EnterScope();
        if (_tokens.TryGetValue((text, template), out var tokens)) return tokens;
        tokens = _tokenizer.Encode(_templates.Fill(template, _rows.Texts[row]), _contextLength);
        if (_tokens.Count < MostKept) _tokens.Add((text, template), tokens);
        return tokens;
    }
}
