using SkiaSharp;

namespace Samples;

/// <summary>What stands behind the things of a picture.</summary>
/// <param name="Phrase">How a caption says it, such as "under a cloudy sky".</param>
/// <param name="Paint">Fills the canvas, <see cref="Picture.Size"/> pixels square.</param>
internal sealed record Backdrop(string Phrase, Action<SKCanvas, SplitMix> Paint)
{
    private const float Size = Picture.Size;

    /// <summary>A plain light colour: all that labeled pictures have.</summary>
    public static Backdrop PlainLight { get; } = new("", (canvas, random) => canvas.Clear(Light(random)));

    /// <summary>Paper for pencil drawings.</summary>
    public static IReadOnlyList<Backdrop> Papers { get; } =
    [
        new("on white paper", (canvas, _) => canvas.Clear(new SKColor(252, 252, 250))),
        new("on old paper", (canvas, random) =>
            canvas.Clear(Palette.Mix(new SKColor(238, 222, 184), new SKColor(222, 200, 160), random.Between(0, 1)))),
        new("on lined paper", (canvas, random) =>
        {
            canvas.Clear(Palette.Paper);
            Lines(canvas, new SKColor(150, 180, 225), 7, random.Between(0, 7), 1, false);
        }),
        new("on squared paper", (canvas, random) =>
        {
            canvas.Clear(Palette.Paper);
            Lines(canvas, new SKColor(185, 205, 230), 8, random.Between(0, 8), 1, false);
            Lines(canvas, new SKColor(185, 205, 230), 8, random.Between(0, 8), 1, true);
        }),
    ];

    public static Backdrop Blackboard { get; } = new("on a blackboard",
        (canvas, random) => canvas.Clear(Palette.Mix(new SKColor(34, 62, 52), new SKColor(44, 46, 52), random.Between(0, 1))));

    public static Backdrop Dark { get; } = new("in the dark",
        (canvas, random) => canvas.Clear(Palette.Mix(new SKColor(16, 14, 34), new SKColor(30, 16, 44), random.Between(0, 1))));

    /// <summary>Places and surfaces, light enough that dark things show.</summary>
    public static IReadOnlyList<Backdrop> Places { get; } =
    [
        new("under a cloudy sky", (canvas, random) =>
        {
            Sky(canvas, new SKColor(150, 190, 228), new SKColor(214, 230, 242));
            Blobs(canvas, random, 5, new SKColor(250, 250, 252), 0, 26, 7, 12);
            Ground(canvas, random, new SKColor(128, 176, 106));
        }),
        new("in a green field", (canvas, random) =>
        {
            Sky(canvas, new SKColor(170, 214, 240), new SKColor(222, 240, 244));
            Ground(canvas, random, new SKColor(134, 190, 88), 26);
        }),
        new("on a sunny beach", (canvas, random) =>
        {
            Sky(canvas, new SKColor(130, 196, 232), new SKColor(180, 226, 240));
            Blobs(canvas, random, 1, new SKColor(255, 226, 92), 6, 14, 6, 8);
            Band(canvas, new SKColor(70, 150, 196), 32, 44);
            Band(canvas, new SKColor(236, 214, 156), 44, Size);
        }),
        new("in the snow", (canvas, random) =>
        {
            Sky(canvas, new SKColor(186, 200, 220), new SKColor(220, 228, 238));
            Ground(canvas, random, new SKColor(246, 248, 252));
            Blobs(canvas, random, 28, SKColors.White, 0, Size, 0.8f, 1.8f);
        }),
        new("in the rain", (canvas, random) =>
        {
            Sky(canvas, new SKColor(136, 148, 164), new SKColor(182, 192, 202));
            using var drop = new SKPaint { Color = new SKColor(222, 232, 244, 190), StrokeWidth = 1, IsAntialias = true };
            for (var i = 0; i < 34; i++)
            {
                var (x, y) = (random.Between(0, Size), random.Between(0, Size));
                canvas.DrawLine(x, y, x - 2, y + 6, drop);
            }
        }),
        new("at sunset", (canvas, random) =>
        {
            Sky(canvas, new SKColor(232, 120, 98), new SKColor(252, 212, 130));
            Blobs(canvas, random, 1, new SKColor(255, 240, 180), 34, 44, 8, 11);
            Ground(canvas, random, new SKColor(146, 92, 92));
        }),
        new("on a wooden table", (canvas, random) =>
        {
            canvas.Clear(new SKColor(206, 164, 112));
            Lines(canvas, new SKColor(170, 124, 76), 11, random.Between(0, 11), 1.4f, false);
        }),
        new("in front of a brick wall", (canvas, random) => Bricks(canvas, random)),
        new("on striped wallpaper", (canvas, random) =>
        {
            canvas.Clear(Light(random));
            var stripe = Palette.Mix(Palette.Named(random.Pick(Palette.Vivid), random), SKColors.White, 0.5f);
            Lines(canvas, stripe, 10, random.Between(0, 10), 4.5f, true);
        }),
        new("on spotted wallpaper", (canvas, random) =>
        {
            canvas.Clear(Palette.Mix(Palette.Named(random.Pick(Palette.Vivid), random), SKColors.White, 0.7f));
            using var spot = new SKPaint { Color = new SKColor(255, 255, 255, 220), IsAntialias = true };
            for (var row = 0; row < 7; row++)
                for (var column = 0; column < 7; column++)
                    canvas.DrawCircle(column * 11 + (row % 2) * 5, row * 10 + 2, 2.4f, spot);
        }),
    ];

    /// <summary>Night: too dark for silhouettes.</summary>
    public static Backdrop Night { get; } = new("under a starry sky", (canvas, random) =>
    {
        Sky(canvas, new SKColor(18, 22, 62), new SKColor(58, 62, 116));
        Blobs(canvas, random, 22, new SKColor(255, 250, 214), 0, 48, 0.6f, 1.2f);
        if (random.Chance(0.5f)) Blobs(canvas, random, 1, new SKColor(246, 240, 206), 6, 14, 4, 6);
        Ground(canvas, random, new SKColor(38, 66, 62));
    });

    /// <summary>One plain colour with its name.</summary>
    public static Backdrop Plain(string colour) => new(
        $"on {(colour == "orange" ? "an" : "a")} {colour} background",
        (canvas, random) => canvas.Clear(Palette.Mix(Palette.Named(colour, random), SKColors.White, random.Between(0.15f, 0.5f))));

    private static SKColor Light(SplitMix random) => random.Pick<SKColor>(
        [new(252, 252, 252), new(244, 244, 240), new(234, 240, 246), new(248, 240, 228), new(236, 246, 236)]);

    private static void Sky(SKCanvas canvas, SKColor top, SKColor bottom)
    {
        using var shader = SKShader.CreateLinearGradient(new SKPoint(0, 0), new SKPoint(0, Size), [top, bottom], SKShaderTileMode.Clamp);
        using var paint = new SKPaint { Shader = shader };
        canvas.DrawPaint(paint);
    }

    private static void Ground(SKCanvas canvas, SplitMix random, SKColor colour, float height = 16)
    {
        using var paint = new SKPaint { Color = colour, IsAntialias = true };
        var top = Size - height;
        canvas.DrawOval(random.Between(0, Size), top + 30, 70, 32, paint);
        Band(canvas, colour, top + 4, Size);
    }

    private static void Band(SKCanvas canvas, SKColor colour, float top, float bottom)
    {
        using var paint = new SKPaint { Color = colour };
        canvas.DrawRect(0, top, Size, bottom - top, paint);
    }

    private static void Blobs(
        SKCanvas canvas, SplitMix random, int count, SKColor colour, float top, float bottom, float smallest, float largest)
    {
        using var paint = new SKPaint { Color = colour, IsAntialias = true };
        for (var i = 0; i < count; i++)
        {
            var radius = random.Between(smallest, largest);
            canvas.DrawOval(random.Between(0, Size), random.Between(top, bottom), radius, count == 5 ? radius * 0.55f : radius, paint);
        }
    }

    private static void Lines(SKCanvas canvas, SKColor colour, float distance, float first, float width, bool upright)
    {
        using var paint = new SKPaint { Color = colour, StrokeWidth = width };
        for (var at = first; at < Size; at += distance)
        {
            if (upright) canvas.DrawLine(at, 0, at, Size, paint);
            else canvas.DrawLine(0, at, Size, at, paint);
        }
    }

    private static void Bricks(SKCanvas canvas, SplitMix random)
    {
        canvas.Clear(new SKColor(222, 208, 194));
        using var paint = new SKPaint();
        for (var row = 0; row < 8; row++)
            for (var column = -1; column < 5; column++)
            {
                paint.Color = Palette.Mix(new SKColor(184, 96, 74), new SKColor(206, 124, 96), random.Between(0, 1));
                canvas.DrawRect(column * 16 + (row % 2) * 8, row * 8, 15, 7, paint);
            }
    }
}
