using SkiaSharp;

namespace Samples;

/// <summary>The role that a colour plays in a thing: the style decides what it looks like.</summary>
internal enum Ink
{
    Main,
    Second,
    Accent,
    Dark,
    Light,
}

/// <summary>One shape of a sketch.</summary>
/// <param name="Path">The shape; its coordinates run from -1 to 1, y downwards.</param>
/// <param name="Ink">Its colour's role.</param>
/// <param name="LineWidth">Width of a thin line; 0 for a filled shape.</param>
internal readonly record struct Part(SKPath Path, Ink Ink, float LineWidth);

/// <summary>A thing as a list of shapes, the lowest first, in a square from (-1, -1) to (1, 1), y downwards.</summary>
/// <remarks>Shapes are given as SVG path data ("M 0 0 L 1 1 Z"), which is short to write and to read.</remarks>
internal sealed class Sketch : IDisposable
{
    // Wider lines are treated as shapes, so that outline styles draw around them.
    private const float WidestThinLine = 0.12f;

    private readonly List<Part> _parts = [];

    public IReadOnlyList<Part> Parts => _parts;

    public void Fill(Ink ink, FormattableString svg) => Add(ink, Parse(svg), 0);

    public void Line(Ink ink, float width, FormattableString svg) => Line(ink, width, Parse(svg));

    public void Circle(Ink ink, float x, float y, float radius) => Ellipse(ink, x, y, radius, radius);

    public void Ellipse(Ink ink, float x, float y, float radiusX, float radiusY)
    {
        var path = new SKPath();
        path.AddOval(new SKRect(x - radiusX, y - radiusY, x + radiusX, y + radiusY));
        Add(ink, path, 0);
    }

    public void Ring(Ink ink, float width, float x, float y, float radius)
    {
        var path = new SKPath();
        path.AddCircle(x, y, radius);
        Line(ink, width, path);
    }

    /// <summary>Several outlines that belong together as one shape, so that no line shows where they overlap.</summary>
    public void Merged(Ink ink, params FormattableString[] svgs)
    {
        var union = new SKPath();
        foreach (var svg in svgs)
        {
            using var path = Parse(svg);
            union.Op(path, SKPathOp.Union, union);
        }
        Add(ink, union, 0);
    }

    /// <summary>A star whose outer and inner corners have these distances from the centre.</summary>
    public void Star(Ink ink, int points, float outer, float inner)
    {
        var path = new SKPath();
        for (var corner = 0; corner < 2 * points; corner++)
        {
            var (sin, cos) = MathF.SinCos(MathF.PI * corner / points);
            var distance = corner % 2 == 0 ? outer : inner;
            if (corner == 0) path.MoveTo(sin * distance, -cos * distance);
            else path.LineTo(sin * distance, -cos * distance);
        }
        path.Close();
        Add(ink, path, 0);
    }

    /// <summary>Turns everything drawn so far about the centre.</summary>
    public void Turn(float degrees)
    {
        var turn = SKMatrix.CreateRotationDegrees(degrees);
        foreach (var part in _parts) part.Path.Transform(turn);
    }

    public void Dispose()
    {
        foreach (var part in _parts) part.Path.Dispose();
    }

    private static SKPath Parse(FormattableString svg)
    {
        var data = FormattableString.Invariant(svg);
        return SKPath.ParseSvgPathData(data) ?? throw new FormatException($"'{data}' is not SVG path data.");
    }

    private void Line(Ink ink, float width, SKPath path)
    {
        if (width <= WidestThinLine)
        {
            Add(ink, path, width);
            return;
        }
        using var pen = new SKPaint
        {
            Style = SKPaintStyle.Stroke,
            StrokeWidth = width,
            StrokeCap = SKStrokeCap.Round,
            StrokeJoin = SKStrokeJoin.Round,
        };
        // The scale keeps curves smooth: coordinates here are around 1, not in pixels.
        using var outline = pen.GetFillPath(path, 64);
        path.Dispose();
        Add(ink, outline.Simplify(), 0);
    }

    private void Add(Ink ink, SKPath path, float lineWidth) => _parts.Add(new Part(path, ink, lineWidth));
}
