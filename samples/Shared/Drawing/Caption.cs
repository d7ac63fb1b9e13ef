namespace Samples;

/// <summary>Some equal things in a caption: "a big red apple", "two kites".</summary>
/// <param name="Thing">Which thing.</param>
/// <param name="Count">1 to 3.</param>
/// <param name="Colour">Name of the main colour, or null where the caption does not say it.</param>
/// <param name="Size">A word such as "small", or null.</param>
internal sealed record NounPhrase(DrawnObject Thing, int Count, string? Colour, string? Size)
{
    public override string ToString()
    {
        var words = string.Join(' ', new[] { Size, Colour, Count == 1 ? Thing.Name : Thing.Plural }.Where(word => word is not null));
        return Count switch
        {
            1 => (words[0] is 'a' or 'e' or 'i' or 'o' or 'u' ? "an " : "a ") + words,
            2 => "two " + words,
            _ => "three " + words,
        };
    }
}

/// <summary>Writes a picture's caption.</summary>
internal static class Caption
{
    /// <summary>Ways to say that one thing stands beside another, and whether it is then on the left (null: either).</summary>
    public static IReadOnlyList<(string Words, bool? Left)> Relations { get; } =
        [("next to", null), ("beside", null), ("and", null), ("to the left of", true), ("to the right of", false)];

    private static readonly Dictionary<Style, string[]> Openings = new()
    {
        [Style.Flat] = ["{}", "{}", "{}", "a drawing of {}", "a colourful picture of {}",
            "we see {}", "there is {}", "this picture shows {}"],
        [Style.Pencil] = ["a pencil sketch of {}", "a sketch of {}", "a line drawing of {}", "{} drawn with a pencil"],
        [Style.Chalk] = ["a chalk drawing of {}", "{} drawn with chalk"],
        [Style.Silhouette] = ["the silhouette of {}", "the black silhouette of {}", "the dark shape of {}"],
        [Style.Crayon] = ["a crayon drawing of {}", "a child's drawing of {}", "{} drawn with crayons"],
        [Style.Watercolour] = ["a watercolour painting of {}", "a painting of {}", "{} painted in watercolours"],
        [Style.Sticker] = ["a sticker of {}", "a sticker that shows {}"],
        [Style.PaperCut] = ["{} cut out of paper", "a paper cut-out of {}"],
        [Style.Neon] = ["a neon sign of {}", "a glowing sign that shows {}"],
        [Style.OldPhotograph] = ["an old photograph of {}", "a faded photo of {}"],
        [Style.Mosaic] = ["a mosaic of {}", "a pixelated image of {}"],
        [Style.Blurred] = ["a blurry photo of {}", "an out-of-focus photo of {}"],
    };

    /// <summary>A caption such as "A crayon drawing of a red boat next to a kite in the rain."</summary>
    /// <param name="style">How the picture is drawn.</param>
    /// <param name="first">What it shows.</param>
    /// <param name="relation">How that stands to <paramref name="second"/>; null where there is only one.</param>
    /// <param name="second">What else it shows, or null.</param>
    /// <param name="backdrop">Where it is, such as "in the snow", or empty.</param>
    /// <param name="random">Chooses among the ways to say it.</param>
    public static string Write(Style style, NounPhrase first, string? relation, NounPhrase? second, string backdrop, SplitMix random)
    {
        var things = second is null ? $"{first}" : $"{first} {relation} {second}";
        // Half of the captions say nothing of the style.
        var opening = random.Pick(Openings[random.Chance(0.5f) ? style : Style.Flat]);
        if (first.Count > 1) opening = opening.Replace("there is", "there are", StringComparison.Ordinal);
        var sentence = opening.Replace("{}", things, StringComparison.Ordinal);
        if (backdrop.Length > 0) sentence += " " + backdrop;
        // Some captions are sentences, some are only phrases, as on the web.
        return random.Chance(0.7f) ? char.ToUpperInvariant(sentence[0]) + sentence[1..] + "." : sentence;
    }
}
