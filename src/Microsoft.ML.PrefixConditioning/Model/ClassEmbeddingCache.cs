using System.Security.Cryptography;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The class embeddings that were computed last, by what they were computed from. Safe for threads.</summary>
internal sealed class ClassEmbeddingCache
{
    private const int Capacity = 4; // sets of classes; a thousand classes of 512 numbers are 2 MB

    private readonly Lock _lock = new();
    private readonly LinkedList<(string Key, float[] Values)> _recent = []; // the last used first

    /// <summary>A copy of the kept values, or of those that are computed now.</summary>
    public float[] GetOrAdd(IReadOnlyList<string> classNames, PromptTemplates templates, IReadOnlyList<(int Type, double Weight)> prefixes,
        Func<float[]> compute)
    {
        var key = Key(classNames, templates, prefixes);
        if (Find(key) is { } kept) return [.. kept];
        var values = compute();   // without the lock: others need not wait for it
        lock (_lock)
        {
            _recent.AddFirst((key, values));
            if (_recent.Count > Capacity) _recent.RemoveLast();
        }
        return [.. values];
    }

    private float[]? Find(string key)
    {
        lock (_lock)
        {
            for (var node = _recent.First; node is not null; node = node.Next)
            {
                if (node.Value.Key != key) continue;
                _recent.Remove(node);
                _recent.AddFirst(node);
                return node.Value.Values;
            }
            return null;
        }
    }

    private static string Key(IReadOnlyList<string> classNames, PromptTemplates templates,
        IReadOnlyList<(int Type, double Weight)> prefixes)
    {
        using var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory); // writes lengths, so that no two lists look the same
        writer.Write(classNames.Count);
        foreach (var name in classNames) writer.Write(name);
        foreach (var template in templates.ToArray()) writer.Write(template);
        foreach (var (type, weight) in prefixes)
        {
            writer.Write(type);
            writer.Write(weight);
        }
        writer.Flush();
        return Convert.ToHexStringLower(SHA256.HashData(memory.ToArray()));
    }
}
