namespace Microsoft.ML.PrefixConditioning;

/// <summary>A prefix in a model file: i32 number of prefixes, then name and f64 weight of each.</summary>
internal static class SavedPrefix
{
    /// <summary>Writes a prefix that is not <see cref="PrefixSelection.Auto"/>.</summary>
    public static void Write(BinaryWriter writer, PrefixSelection prefix)
    {
        writer.Write(prefix.Weights.Count);
        foreach (var (type, weight) in prefix.Weights)
        {
            writer.Write(type);
            writer.Write(weight);
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static PrefixSelection Read(BinaryReader reader)
    {
        var prefixes = new (string, double)[reader.ReadInt32()];
        for (var i = 0; i < prefixes.Length; i++) prefixes[i] = (reader.ReadString(), reader.ReadDouble());
        return prefixes.Length == 0 ? PrefixSelection.None : PrefixSelection.Blend(prefixes);
    }
}
