using System.Runtime.InteropServices;
using SkiaSharp;

namespace Samples;

/// <summary>One picture while it is drawn: backdrop first, then things, then what a style does to the whole.</summary>
internal sealed class Picture : IDisposable
{
    /// <summary>Width and height of every picture, in pixels.</summary>
    public const int Size = 64;

    // Speed matters more than size here: the first level of zlib, and no search for the best row filter.
    private static readonly SKPngEncoderOptions Png = new(SKPngEncoderFilterFlags.Sub, 1);

    private readonly SKBitmap _bitmap = new(new SKImageInfo(Size, Size, SKColorType.Rgba8888, SKAlphaType.Opaque));
    private readonly SKCanvas _canvas;
    private readonly SplitMix _random;

    public Picture(SplitMix random)
    {
        _random = random;
        _canvas = new SKCanvas(_bitmap);
    }

    public void Paint(Backdrop backdrop) => backdrop.Paint(_canvas, _random);

    public void Paint(DrawnObject thing, string mainColor, Style style, Placement place)
    {
        using var sketch = new Sketch();
        thing.Draw(sketch, _random);
        new StylePainter(_canvas, _random).Paint(sketch, thing.Colour(mainColor, _random), style, place);
    }

    /// <summary>Small coloured shapes that are nothing in particular.</summary>
    public void Clutter(int count)
    {
        using var brush = new SKPaint { IsAntialias = true };
        for (var i = 0; i < count; i++)
        {
            brush.Color = Palette.Named(_random.Pick(Palette.Vivid), _random).WithAlpha(200);
            var (x, y, size) = (_random.Between(0, Size), _random.Between(0, Size), _random.Between(2, 6));
            switch (_random.Below(3))
            {
                case 0: _canvas.DrawCircle(x, y, size / 2, brush); break;
                case 1: _canvas.DrawRect(x, y, size, size * 0.7f, brush); break;
                default: _canvas.DrawRect(x, y, size * 2, 1.3f, brush); break;
            }
        }
    }

    /// <summary>Changes the whole picture, for the styles that do.</summary>
    public void Finish(Style style)
    {
        switch (style)
        {
            case Style.OldPhotograph: Age(); break;
            case Style.Mosaic: Resample(24, SKFilterQuality.None); break;
            case Style.Blurred: Resample(_random.Pick([20, 24]), SKFilterQuality.Medium); break;
            default: break;
        }
    }

    public void Save(string path)
    {
        _canvas.Flush();
        using var pixels = _bitmap.PeekPixels();
        using var png = pixels.Encode(Png);
        using var file = File.Create(path);
        png.SaveTo(file);
    }

    public void Dispose()
    {
        _canvas.Dispose();
        _bitmap.Dispose();
    }

    // Brown tones, dark corners and grain.
    private void Age()
    {
        using var copy = _bitmap.Copy();
        using var brown = SKColorFilter.CreateColorMatrix(
        [
            0.42f, 0.62f, 0.14f, 0, -0.02f,
            0.36f, 0.54f, 0.12f, 0, -0.05f,
            0.27f, 0.41f, 0.09f, 0, -0.06f,
            0, 0, 0, 1, 0,
        ]);
        using var print = new SKPaint { ColorFilter = brown };
        _canvas.DrawBitmap(copy, 0, 0, print);
        using var shader = SKShader.CreateRadialGradient(
            new SKPoint(Size / 2f, Size / 2f), Size * 0.75f,
            [SKColors.Transparent, new SKColor(40, 24, 10, 150)], [0.6f, 1], SKShaderTileMode.Clamp);
        using var corners = new SKPaint { Shader = shader };
        _canvas.DrawPaint(corners);
        Grain(9);
    }

    private void Resample(int pixels, SKFilterQuality quality)
    {
        _canvas.Flush();
        using var small = _bitmap.Resize(new SKImageInfo(pixels, pixels, SKColorType.Rgba8888, SKAlphaType.Opaque), SKFilterQuality.Medium);
        using var paint = new SKPaint { FilterQuality = quality };
        _canvas.DrawBitmap(small, new SKRect(0, 0, Size, Size), paint);
    }

    /// <param name="strength">Largest change of a pixel's brightness, of 255.</param>
    private void Grain(float strength)
    {
        _canvas.Flush();
        var bytes = _bitmap.Bytes;   // a copy: 4 bytes a pixel, red first
        for (var pixel = 0; pixel < bytes.Length; pixel += 4)
        {
            var change = _random.Between(-strength, strength);
            for (var channel = pixel; channel < pixel + 3; channel++) bytes[channel] = (byte)Math.Clamp(bytes[channel] + change, 0, 255);
        }
        Marshal.Copy(bytes, 0, _bitmap.GetPixels(), bytes.Length);
    }
}
