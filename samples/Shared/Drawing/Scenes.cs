namespace Samples;

/// <summary>What each set of pictures shows.</summary>
/// <remarks>
/// Labeled pictures are a narrow domain: one thing, in the middle, coloured flat, on a plain light background. Captioned
/// pictures are a wide one. The shifted test sets each change one thing about the labeled pictures.
/// </remarks>
internal static class Scenes
{
    private const float Middle = Picture.Size / 2f;

    private static readonly Style[] OtherStyles = [.. Enum.GetValues<Style>().Where(style => style != Style.Flat)];
    private static readonly Style[] HandMade = [Style.Crayon, Style.Watercolour, Style.Sticker, Style.PaperCut];

    /// <summary>A labeled picture, or one of the test set that is like them.</summary>
    public static void Labeled(Picture picture, DrawnObject thing, SplitMix random)
    {
        picture.Paint(Backdrop.PlainLight);
        var place = new Placement(
            Middle + random.Between(-1.5f, 1.5f), Middle + random.Between(-1.5f, 1.5f),
            random.Between(50, 58), random.Between(-4, 4), random.Chance(0.5f));
        picture.Paint(thing, random.Pick(thing.Main), Style.Flat, place);
    }

    /// <summary>A thing in any colour on a strong plain colour: the labeled pictures know neither.</summary>
    public static void Recoloured(Picture picture, DrawnObject thing, SplitMix random)
    {
        var colour = random.Pick(Palette.Vivid);
        picture.Paint(Backdrop.Plain(random.Pick([.. Palette.Vivid.Where(other => other != colour)])));
        picture.Paint(thing, colour, Style.Flat, Single(random));
    }

    /// <summary>Crayon, watercolour, sticker or paper cut. Captioned pictures have these styles for every thing.</summary>
    public static void MadeByHand(Picture picture, DrawnObject thing, SplitMix random)
    {
        var (style, colour) = (random.Pick(HandMade), MainColor(thing, random));
        picture.Paint(Surroundings(style, colour, random));
        picture.Paint(thing, colour, style, Single(random));
        picture.Finish(style);
    }

    /// <summary>A small, turned thing of any colour, somewhere in a place full of other shapes.</summary>
    public static void Cluttered(Picture picture, DrawnObject thing, SplitMix random)
    {
        picture.Paint(random.Pick(Backdrop.Places));
        picture.Clutter(7);
        var size = random.Between(34, 46);
        var place = new Placement(Near(Middle, random), Near(Middle, random), size, random.Between(-25, 25), random.Chance(0.5f));
        picture.Paint(thing, random.Pick(Palette.Vivid), Style.Flat, place);
    }

    /// <summary>One thing in any style and place that captioned pictures have.</summary>
    public static void AnyStyle(Picture picture, DrawnObject thing, SplitMix random)
    {
        var style = random.Pick(Enum.GetValues<Style>());
        var colour = MainColor(thing, random);
        picture.Paint(Surroundings(style, colour, random));
        picture.Paint(thing, colour, style, Single(random));
        picture.Finish(style);
    }

    /// <summary>A captioned picture: one thing, several equal ones, or two different ones.</summary>
    /// <returns>Its caption.</returns>
    public static string Captioned(Picture picture, SplitMix random)
    {
        // Half of the pictures are flat, a third made by hand, the others in any style.
        var style = random.Between(0, 1) switch { < 0.5f => Style.Flat, < 0.8f => random.Pick(HandMade), _ => random.Pick(OtherStyles) };
        var thing = random.Pick(DrawnObject.All);
        var colour = MainColor(thing, random);
        var backdrop = Surroundings(style, colour, random);
        picture.Paint(backdrop);

        NounPhrase first;
        NounPhrase? second = null;
        var relation = ((string Words, bool? Left)?)null;
        // Coarse styles leave too little of small things.
        var kind = style is Style.Mosaic or Style.Blurred ? 0 : random.Between(0, 1);
        if (kind < 0.8f)
        {
            var place = Single(random);
            picture.Paint(thing, colour, style, place);
            first = new NounPhrase(thing, 1, Said(colour, style, random), SizeWord(place.Size, random));
        }
        else if (kind < 0.87f)
        {
            var count = 2 + random.Below(2);
            for (var i = 0; i < count; i++) picture.Paint(thing, colour, style, InRow(i, count, random));
            first = new NounPhrase(thing, count, Said(colour, style, random), null);
        }
        else
        {
            var other = random.Pick([.. DrawnObject.All.Where(candidate => candidate != thing)]);
            var otherColor = MainColor(other, random);
            relation = random.Pick(Caption.Relations);
            var left = relation.Value.Left ?? random.Chance(0.5f);
            picture.Paint(thing, colour, style, InRow(left ? 0 : 1, 2, random));
            picture.Paint(other, otherColor, style, InRow(left ? 1 : 0, 2, random));
            first = new NounPhrase(thing, 1, Said(colour, style, random), null);
            second = new NounPhrase(other, 1, Said(otherColor, style, random), null);
        }
        picture.Finish(style);
        return Caption.Write(style, first, relation?.Words, second, random.Chance(0.35f) ? backdrop.Phrase : "", random);
    }

    private static Placement Single(SplitMix random)
    {
        var size = random.Between(42, 58);
        return new Placement(Near(Middle, random), Near(Middle, random), size, random.Between(-12, 12), random.Chance(0.5f));
    }

    private static Placement InRow(int position, int count, SplitMix random)
    {
        var room = Picture.Size / (float)count;
        var size = random.Between(0.88f, 1.08f) * (count == 2 ? 31 : 22);
        return new Placement(room * (position + 0.5f), Middle + random.Between(-9, 13), size, random.Between(-10, 10), random.Chance(0.5f));
    }

    private static float Near(float middle, SplitMix random) => middle + random.Between(-7, 7);

    private static Backdrop Surroundings(Style style, string mainColor, SplitMix random) => style switch
    {
        Style.Pencil => random.Pick(Backdrop.Papers),
        Style.Chalk => Backdrop.Blackboard,
        Style.Neon => random.Chance(0.5f) ? Backdrop.Dark : Backdrop.Night,
        _ when random.Chance(0.5f) => Backdrop.Plain(random.Pick([.. Palette.Vivid.Where(colour => colour != mainColor)])),
        _ when style != Style.Silhouette && random.Chance(0.08f) => Backdrop.Night,
        _ => random.Pick(Backdrop.Places),
    };

    // Captioned pictures show unusual colours too.
    private static string MainColor(DrawnObject thing, SplitMix random) =>
        random.Chance(0.6f) ? random.Pick(thing.Main) : random.Pick(Palette.Vivid);

    private static string? Said(string colour, Style style, SplitMix random) =>
        style is Style.Pencil or Style.Silhouette or Style.OldPhotograph || random.Chance(0.5f) ? null : colour;

    private static string? SizeWord(float size, SplitMix random) => size switch
    {
        _ when random.Chance(0.6f) => null,
        < 46 => random.Pick(["small", "little", "tiny"]),
        > 54 => random.Pick(["big", "large", "huge"]),
        _ => null,
    };
}
