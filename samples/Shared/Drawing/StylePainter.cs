using SkiaSharp;

namespace Samples;

/// <summary>How a thing is drawn.</summary>
internal enum Style
{
    Flat,
    Pencil,
    Chalk,
    Silhouette,
    Crayon,
    Watercolour,
    Sticker,
    PaperCut,
    Neon,
    OldPhotograph,
    Mosaic,
    Blurred,
}

/// <summary>Where a thing stands.</summary>
/// <param name="X">Centre, in pixels from the left.</param>
/// <param name="Y">Centre, in pixels from the top.</param>
/// <param name="Size">Width and height of the square that holds the thing, in pixels.</param>
/// <param name="Angle">Degrees, clockwise.</param>
/// <param name="Mirrored">Whether left and right are exchanged.</param>
internal readonly record struct Placement(float X, float Y, float Size, float Angle, bool Mirrored);

/// <summary>Draws a sketch in a style. What a style does to the whole picture is in <see cref="Picture"/>.</summary>
internal sealed class StylePainter(SKCanvas canvas, SplitMix random)
{
    public void Paint(Sketch sketch, Colours colours, Style style, Placement place)
    {
        canvas.Save();
        canvas.Translate(place.X, place.Y);
        canvas.RotateDegrees(place.Angle);
        canvas.Scale(place.Mirrored ? -place.Size / 2 : place.Size / 2, place.Size / 2);
        var pixel = 2 / place.Size;
        switch (style)
        {
            case Style.Pencil: Outline(sketch, Palette.Ink, SKColors.Gray, 0.6f, pixel * random.Between(1.2f, 1.9f), 0.012f); break;
            case Style.Chalk: Outline(sketch, SKColors.White, colours.Main, 0.5f, pixel * random.Between(1.8f, 2.6f), 0.03f); break;
            case Style.Silhouette: Flat(sketch, _ => Palette.Ink, SKColors.Transparent, pixel); break;
            case Style.Crayon: Crayon(sketch, colours, pixel); break;
            case Style.Watercolour: Watercolour(sketch, colours, pixel); break;
            case Style.Sticker: Sticker(sketch, colours, pixel); break;
            case Style.PaperCut: PaperCut(sketch, colours, pixel); break;
            case Style.Neon: Neon(sketch, colours, pixel); break;
            default: Flat(sketch, ink => colours[ink], new SKColor(40, 36, 44, 150), pixel); break;
        }
        canvas.Restore();
    }

    private void Flat(Sketch sketch, Func<Ink, SKColor> colour, SKColor edge, float pixel)
    {
        using var brush = new SKPaint { IsAntialias = true };
        foreach (var part in sketch.Parts)
        {
            Fill(part, brush, colour(part.Ink));
            if (edge.Alpha > 0 && part.LineWidth == 0) Stroke(part, brush, edge, pixel * 0.7f);
        }
    }

    // Every part hides the lines of the parts below it, as it would on paper, by erasing to the background.
    private void Outline(Sketch sketch, SKColor colour, SKColor tint, float mostTint, float width, float wobble)
    {
        colour = Palette.Mix(colour, tint, random.Between(0, mostTint));
        canvas.SaveLayer(null);
        using var shake = SKPathEffect.CreateDiscrete(0.12f, wobble, (uint)random.Below(1 << 16));
        using var eraser = new SKPaint { IsAntialias = true, BlendMode = SKBlendMode.Clear };
        using var pen = new SKPaint { IsAntialias = true, PathEffect = shake, StrokeCap = SKStrokeCap.Round };
        foreach (var part in sketch.Parts)
        {
            if (part.LineWidth == 0) Fill(part, eraser, SKColors.Black);
            Stroke(part, pen, colour, part.LineWidth == 0 ? width : Math.Min(width, part.LineWidth));
        }
        canvas.Restore();
    }

    private void Crayon(Sketch sketch, Colours colours, float pixel)
    {
        using var shake = SKPathEffect.CreateDiscrete(0.1f, 0.05f, (uint)random.Below(1 << 16));
        using var brush = new SKPaint { IsAntialias = true };
        using var pen = new SKPaint { IsAntialias = true, PathEffect = shake, Style = SKPaintStyle.Stroke };
        var slope = random.Between(-0.8f, 0.8f);
        foreach (var part in sketch.Parts)
        {
            var colour = colours[part.Ink];
            if (part.LineWidth == 0)
            {
                Fill(part, brush, colour.WithAlpha(70));
                canvas.Save();
                canvas.ClipPath(part.Path, antialias: true);
                pen.Color = colour.WithAlpha(210);
                pen.StrokeWidth = pixel * 1.6f;
                for (var y = -2f; y < 2; y += pixel * 2.7f) canvas.DrawLine(-1.1f, y - slope, 1.1f, y + slope, pen);
                canvas.Restore();
            }
            Stroke(part, pen, colour, Math.Max(part.LineWidth, pixel * 1.5f));
        }
    }

    private void Watercolour(Sketch sketch, Colours colours, float pixel)
    {
        using var brush = new SKPaint { IsAntialias = true };
        foreach (var part in sketch.Parts)
        {
            for (var coat = 0; coat < 2; coat++)
            {
                using var shake = SKPathEffect.CreateDiscrete(0.25f, 0.07f, (uint)random.Below(1 << 16));
                brush.PathEffect = shake;
                Fill(part, brush, Palette.Mix(colours[part.Ink], SKColors.White, 0.15f).WithAlpha(165));
            }
            brush.PathEffect = null;
            if (part.LineWidth == 0) Stroke(part, brush, colours[part.Ink].WithAlpha(110), pixel * 1.2f);
        }
    }

    private void Sticker(Sketch sketch, Colours colours, float pixel)
    {
        using var brush = new SKPaint { IsAntialias = true, StrokeJoin = SKStrokeJoin.Round };
        foreach (var part in sketch.Parts) Stroke(part, brush, new SKColor(70, 70, 80, 120), part.LineWidth + pixel * 7.5f);
        foreach (var part in sketch.Parts) Stroke(part, brush, SKColors.White, part.LineWidth + pixel * 5.5f);
        foreach (var part in sketch.Parts) Fill(part, brush, Palette.Mix(colours[part.Ink], SKColors.White, 0.08f));
    }

    private void PaperCut(Sketch sketch, Colours colours, float pixel)
    {
        using var shadow = new SKPaint { IsAntialias = true };
        using var blur = SKMaskFilter.CreateBlur(SKBlurStyle.Normal, pixel * 1.2f);
        shadow.MaskFilter = blur;
        using var brush = new SKPaint { IsAntialias = true };
        foreach (var part in sketch.Parts)
        {
            canvas.Save();
            canvas.Translate(pixel * 1.6f, pixel * 2);
            Fill(part, shadow, new SKColor(20, 20, 30, 130));
            canvas.Restore();
            Fill(part, brush, colours[part.Ink]);
        }
    }

    private void Neon(Sketch sketch, Colours colours, float pixel)
    {
        using var blur = SKMaskFilter.CreateBlur(SKBlurStyle.Normal, pixel * 1.8f);
        using var glow = new SKPaint { IsAntialias = true, MaskFilter = blur };
        using var tube = new SKPaint { IsAntialias = true, StrokeCap = SKStrokeCap.Round, StrokeJoin = SKStrokeJoin.Round };
        foreach (var part in sketch.Parts)
        {
            var light = part.Ink is Ink.Dark or Ink.Light ? colours.Second : colours[part.Ink];
            Stroke(part, glow, Palette.Mix(light, SKColors.White, 0.25f), pixel * 4.5f);
            Stroke(part, tube, Palette.Mix(light, SKColors.White, 0.6f), pixel * 1.5f);
        }
    }

    private void Fill(Part part, SKPaint brush, SKColor colour)
    {
        if (part.LineWidth > 0)
        {
            Stroke(part, brush, colour, part.LineWidth);
            return;
        }
        brush.Style = SKPaintStyle.Fill;
        brush.Color = colour;
        canvas.DrawPath(part.Path, brush);
    }

    private void Stroke(Part part, SKPaint pen, SKColor colour, float width)
    {
        pen.Style = SKPaintStyle.Stroke;
        pen.StrokeWidth = width;
        pen.Color = colour;
        canvas.DrawPath(part.Path, pen);
    }
}
