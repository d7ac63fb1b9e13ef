namespace Microsoft.ML.PrefixConditioning;

/// <summary>Maps the dataset types that a prefix selection names to a model's indexes.</summary>
internal static class PrefixResolution
{
    /// <summary>The selected types by index; null selects the caption type, or the first where there is none.</summary>
    /// <exception cref="ArgumentException">The selection names a type that the model was not trained on, or none yet.</exception>
    public static IReadOnlyList<(int Type, double Weight)> Resolve(PrefixSelection? selection, IReadOnlyList<DatasetType> types)
    {
        selection ??= Default(types);
        if (selection.IsAuto)
            throw new ArgumentException(
                $"The prefix is {selection}, which is chosen from images by the Fit of ZeroShotClassification and nowhere else. Name " +
                "a prefix here, such as the one that a fitted classifier's Prefix says.");
        return [.. selection.Weights.Select(w => (IndexOf(w.DatasetType, types), w.Weight))];
    }

    /// <summary>The selection that is used when none is given: "caption", else the first type whose texts are captions, else the
    /// first.</summary>
    public static PrefixSelection Default(IReadOnlyList<DatasetType> types) => PrefixSelection.For(
        (types.FirstOrDefault(t => t.Name == DatasetType.Caption.Name) ?? types.FirstOrDefault(t => t.Texts == TextKind.Caption)
            ?? types[0]).Name);

    /// <summary>The image prefix that goes with a selection: of a blend the type with the largest weight; none where the vision tower
    /// has no prefixes.</summary>
    public static PrefixSelection ImagePrefix(int imagePrefixLength, PrefixSelection selection) =>
        imagePrefixLength == 0 || selection.Weights.Count == 0
            ? PrefixSelection.None : PrefixSelection.For(selection.Weights.MaxBy(w => w.Weight).DatasetType);

    /// <summary>[N], for the vision tower's prefixes; null where the model or selection has none.</summary>
    public static long[]? ImageTypes(ClipModel model, IReadOnlyList<(int Type, double Weight)> prefixes, int count) =>
        ImageType(model.Shape.ImagePrefixLength, prefixes) is { } type ? [.. Enumerable.Repeat((long)type, count)] : null;

    /// <summary>The type whose image prefix is used, the one with the largest weight; null where the model or selection has none.</summary>
    /// <param name="imagePrefixLength">Tokens of a type's image prefix; 0 for none.</param>
    /// <param name="prefixes">The selected types.</param>
    public static int? ImageType(int imagePrefixLength, IReadOnlyList<(int Type, double Weight)> prefixes) =>
        imagePrefixLength == 0 || prefixes.Count == 0 ? null : prefixes.MaxBy(p => p.Weight).Type;

    private static int IndexOf(string name, IReadOnlyList<DatasetType> types)
    {
        for (var i = 0; i < types.Count; i++)
            if (types[i].Name == name) return i;
        var names = types.Select(t => t.Name).ToArray();
        throw new ArgumentException(
            $"The model was not trained on the dataset type '{name}'. It knows {NearName.List(names)}: select one of these, or " +
                $"PrefixSelection.None.{NearName.Question(name, names)}");
    }
}
