using SkiaSharp;

namespace Samples;

/// <summary>A thing that can be drawn, and is a class of the data set.</summary>
/// <param name="Name">Class name, singular.</param>
/// <param name="Draw">Adds one random example of the thing to a sketch.</param>
/// <param name="Main">Usual colours of its main part. Captioned pictures use others too.</param>
/// <param name="Second">Colours of its second part.</param>
/// <param name="Accent">Colours of its small parts.</param>
internal sealed record DrawnObject(
    string Name, Action<Sketch, SplitMix> Draw, IReadOnlyList<string> Main, IReadOnlyList<string> Second, IReadOnlyList<string> Accent)
{
    /// <summary>Classes that have labeled pictures. Captions speak of them too.</summary>
    public static IReadOnlyList<DrawnObject> Labeled { get; } =
    [
        new("apple", LivingThings.Apple, ["red", "green", "yellow"], ["green"], ["green"]),
        new("bird", LivingThings.Bird, ["blue", "brown", "yellow", "red"], ["grey", "brown", "orange"], ["orange", "yellow"]),
        new("boat", Vehicles.Boat, ["red", "blue", "brown"], ["white", "yellow"], ["white", "orange"]),
        new("butterfly", LivingThings.Butterfly, ["orange", "blue", "purple"], ["yellow", "pink"], ["white", "red"]),
        new("car", Vehicles.Car, ["red", "blue", "green", "grey"], ["grey"], ["yellow"]),
        new("clock", Household.Clock, ["red", "grey", "brown"], ["yellow", "grey"], ["red"]),
        new("cup", Household.Cup, ["blue", "red", "green"], ["brown"], ["grey"]),
        new("fish", LivingThings.Fish, ["orange", "blue", "green"], ["yellow", "red"], ["white"]),
        new("flower", LivingThings.Flower, ["red", "pink", "purple"], ["yellow", "orange"], ["green"]),
        new("house", Household.House, ["yellow", "grey", "brown"], ["red", "brown"], ["brown"]),
        new("key", Household.Key, ["yellow", "grey", "brown"], ["grey"], ["grey"]),
        new("mushroom", LivingThings.Mushroom, ["red", "brown", "orange"], ["white"], ["white"]),
        new("rocket", Vehicles.Rocket, ["grey", "blue", "red"], ["red", "yellow"], ["orange", "yellow"]),
        new("star", Household.Star, ["yellow", "orange", "red"], ["yellow"], ["yellow"]),
        new("tree", LivingThings.Tree, ["green", "orange"], ["brown"], ["red"]),
        new("umbrella", Household.Umbrella, ["purple", "red", "blue"], ["white", "yellow", "pink"], ["brown"]),
    ];

    /// <summary>Classes that only captions speak of: no labeled picture shows them.</summary>
    public static IReadOnlyList<DrawnObject> CaptionOnly { get; } =
    [
        new("balloon", Vehicles.Balloon, ["red", "blue", "pink", "yellow"], ["red"], ["red"]),
        new("bell", Household.Bell, ["yellow", "orange", "grey"], ["red", "brown"], ["brown"]),
        new("cactus", LivingThings.Cactus, ["green"], ["brown", "orange", "red"], ["pink"]),
        new("chair", Household.Chair, ["brown", "red", "blue"], ["yellow", "grey", "green"], ["grey"]),
        new("crown", Household.Crown, ["yellow", "orange"], ["red", "purple"], ["red", "blue", "green"]),
        new("kite", Vehicles.Kite, ["red", "purple", "green"], ["yellow", "pink"], ["blue", "orange"]),
        new("ladder", Household.Ladder, ["brown", "grey", "orange"], ["brown"], ["grey"]),
        new("lamp", Household.Lamp, ["yellow", "pink", "orange"], ["brown", "grey"], ["yellow"]),
        new("snail", LivingThings.Snail, ["brown", "orange", "purple"], ["yellow", "pink", "grey"], ["grey"]),
        new("snowman", LivingThings.Snowman, ["white"], ["red", "green", "blue"], ["orange"]),
    ];

    public static IReadOnlyList<DrawnObject> All { get; } = [.. Labeled, .. CaptionOnly];

    /// <summary>The word for several of them.</summary>
    public string Plural => Name switch
    {
        "fish" => "fish",
        "cactus" => "cacti",
        "snowman" => "snowmen",
        "butterfly" => "butterflies",
        _ => Name + "s",
    };

    /// <summary>Colours of one example whose main colour has this name.</summary>
    public Colours Colour(string main, SplitMix random)
    {
        // A second part of the same colour as the first would hide the shape.
        var second = random.Pick(Second);
        if (second == main) second = main == "yellow" ? "orange" : "yellow";
        return new Colours(Palette.Named(main, random), Palette.Named(second, random), Palette.Named(random.Pick(Accent), random));
    }
}

/// <summary>The colours of one example of a thing.</summary>
internal readonly record struct Colours(SKColor Main, SKColor Second, SKColor Accent)
{
    public SKColor this[Ink ink] => ink switch
    {
        Ink.Main => Main,
        Ink.Second => Second,
        Ink.Accent => Accent,
        Ink.Dark => Palette.Ink,
        _ => Palette.Paper,
    };
}
