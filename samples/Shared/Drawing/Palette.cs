using SkiaSharp;

namespace Samples;

/// <summary>The colours that things and backgrounds can have, by the name that captions use for them.</summary>
internal static class Palette
{
    private static readonly Dictionary<string, SKColor> Colours = new(StringComparer.Ordinal)
    {
        ["red"] = new(214, 48, 44),
        ["orange"] = new(240, 138, 36),
        ["yellow"] = new(246, 208, 56),
        ["green"] = new(58, 156, 72),
        ["blue"] = new(48, 108, 204),
        ["purple"] = new(132, 72, 176),
        ["pink"] = new(240, 130, 172),
        ["brown"] = new(132, 84, 48),
        ["grey"] = new(136, 140, 148),
        ["white"] = new(244, 244, 240),
    };

    /// <summary>Every colour but white, which hardly shows on light backgrounds.</summary>
    public static IReadOnlyList<string> Vivid { get; } = [.. Colours.Keys.Where(name => name != "white")];

    public static SKColor Ink { get; } = new(36, 32, 40);

    public static SKColor Paper { get; } = new(250, 249, 244);

    /// <summary>A colour by name, slightly different each time.</summary>
    public static SKColor Named(string name, SplitMix random)
    {
        var shift = random.Between(-16, 16);
        var colour = Colours[name];
        return new SKColor(
            Channel(colour.Red + shift + random.Between(-10, 10)),
            Channel(colour.Green + shift + random.Between(-10, 10)),
            Channel(colour.Blue + shift + random.Between(-10, 10)));
    }

    /// <summary>A colour on the way from one to another: 0 gives the first, 1 the second.</summary>
    public static SKColor Mix(SKColor from, SKColor to, float share) => new(
        Channel(from.Red + (to.Red - from.Red) * share),
        Channel(from.Green + (to.Green - from.Green) * share),
        Channel(from.Blue + (to.Blue - from.Blue) * share));

    private static byte Channel(float value) => (byte)Math.Clamp(value, 0, 255);
}
