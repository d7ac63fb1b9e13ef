using static Samples.Ink;

namespace Samples;

/// <summary>How plants and animals are drawn, each time with slightly different proportions.</summary>
internal static class LivingThings
{
    public static void Apple(Sketch sketch, SplitMix random)
    {
        var side = random.Between(0.74f, 0.9f);
        var bend = random.Between(-0.2f, 0.2f);
        sketch.Line(Dark, 0.1f, $"M 0 -0.35 Q 0.02 -0.65 {bend} -0.88");
        sketch.Fill(Main, $"""
            M 0 -0.4 C 0.25 -0.65 {side} -0.6 {side} 0 C {side} 0.55 0.4 0.95 0.15 0.9
            Q 0 0.82 -0.15 0.9 C -0.4 0.95 {-side} 0.55 {-side} 0 C {-side} -0.6 -0.25 -0.65 0 -0.4 Z
            """);
        sketch.Fill(Accent, $"M 0.04 -0.55 Q 0.2 -0.95 0.62 -0.85 Q 0.45 -0.5 0.04 -0.55 Z");
        if (random.Chance(0.6f)) sketch.Ellipse(Light, -0.42f, -0.1f, 0.1f, 0.18f);
    }

    public static void Bird(Sketch sketch, SplitMix random)
    {
        var fat = random.Between(0.32f, 0.42f);
        var tail = random.Between(-0.3f, 0.05f);
        sketch.Line(Dark, 0.07f, $"M -0.1 0.4 V 0.92 H 0.06 M 0.14 0.4 V 0.92 H 0.3");
        sketch.Merged(Main,
            $"M -0.3 -0.05 L -0.98 {tail} L -0.9 {tail + 0.32f} L -0.3 0.35 Z",
            $"M -0.55 0.15 A 0.52 {fat} 0 1 1 0.5 0.15 A 0.52 {fat} 0 1 1 -0.55 0.15 Z",
            $"M 0.17 -0.35 A 0.28 0.28 0 1 1 0.73 -0.35 A 0.28 0.28 0 1 1 0.17 -0.35 Z");
        sketch.Fill(Accent, $"M 0.68 -0.46 L 0.99 -0.3 L 0.68 -0.2 Z");
        sketch.Fill(Second, $"M 0.2 0.05 Q -0.1 -0.1 -0.35 0.02 L -0.65 0.3 Q -0.1 0.5 0.2 0.05 Z");
        sketch.Circle(Dark, 0.5f, -0.4f, 0.07f);
    }

    public static void Butterfly(Sketch sketch, SplitMix random)
    {
        var top = random.Between(-0.95f, -0.7f);
        var low = random.Between(0.65f, 0.9f);
        foreach (var side in (ReadOnlySpan<int>)[-1, 1])
        {
            sketch.Fill(Main, $"""
                M 0 0 C {0.2f * side} {top} {side} {top} {0.95f * side} -0.3
                C {0.9f * side} 0.1 {0.3f * side} 0.15 0 0.05 Z
                """);
            sketch.Fill(Second, $"""
                M 0 0.05 C {0.4f * side} 0.05 {0.85f * side} 0.2 {0.7f * side} {low - 0.25f}
                C {0.5f * side} {low + 0.1f} {0.1f * side} 0.6 0 0.2 Z
                """);
            sketch.Circle(Accent, 0.6f * side, -0.35f, 0.13f);
            sketch.Line(Dark, 0.06f, $"M 0 -0.4 Q {0.08f * side} -0.75 {0.3f * side} -0.9");
        }
        sketch.Ellipse(Dark, 0, 0.05f, 0.08f, 0.5f);
    }

    public static void Cactus(Sketch sketch, SplitMix random)
    {
        var left = random.Between(-0.35f, 0);
        var right = random.Between(-0.5f, -0.1f);
        sketch.Line(Main, 0.3f, $"M 0 -0.75 V 0.6 M 0 {left + 0.4f} H -0.5 V {left} M 0 {right + 0.45f} H 0.5 V {right}");
        sketch.Line(Light, 0.05f, $"""
            M -0.05 -0.6 V -0.45 M 0.05 -0.25 V -0.1
            M -0.05 0.1 V 0.25 M -0.5 {left} V {left + 0.12f} M 0.5 {right} V {right + 0.12f}
            """);
        if (random.Chance(0.4f)) sketch.Circle(Accent, 0, -0.88f, 0.12f);
        sketch.Fill(Second, $"M -0.45 0.45 H 0.45 L 0.3 0.96 H -0.3 Z");
    }

    public static void Fish(Sketch sketch, SplitMix random)
    {
        var height = random.Between(0.65f, 0.9f);
        var tail = random.Between(0.4f, 0.58f);
        sketch.Fill(Second, $"M -0.35 0 L -0.98 {-tail} L -0.8 0 L -0.98 {tail} Z");
        sketch.Fill(Second, $"M 0.25 -0.4 Q -0.1 -0.9 -0.35 -0.7 L -0.2 -0.2 Z");
        sketch.Fill(Main, $"M 0.92 0 C 0.55 {-height} -0.2 {-height} -0.55 0 C -0.2 {height} 0.55 {height} 0.92 0 Z");
        if (random.Chance(0.5f)) sketch.Line(Accent, 0.08f, $"M 0.05 -0.42 Q -0.08 0 0.05 0.42 M -0.2 -0.3 Q -0.3 0 -0.2 0.3");
        sketch.Circle(Light, 0.5f, -0.12f, 0.13f);
        sketch.Circle(Dark, 0.53f, -0.12f, 0.07f);
    }

    public static void Flower(Sketch sketch, SplitMix random)
    {
        var petals = 5 + random.Below(4);
        var bend = random.Between(-0.2f, 0.2f);
        sketch.Line(Accent, 0.11f, $"M 0 -0.2 Q {bend} 0.4 0 0.96");
        sketch.Fill(Accent, $"M 0 0.75 Q 0.15 0.35 0.6 0.35 Q 0.5 0.75 0 0.75 Z");
        if (random.Chance(0.5f)) sketch.Fill(Accent, $"M 0 0.85 Q -0.15 0.5 -0.55 0.45 Q -0.5 0.85 0 0.85 Z");
        for (var petal = 0; petal < petals; petal++)
        {
            var (sin, cos) = MathF.SinCos(2 * MathF.PI * petal / petals);
            sketch.Circle(Main, 0.38f * sin, -0.36f - 0.38f * cos, 1.35f / petals + 0.04f);
        }
        sketch.Circle(Second, 0, -0.36f, random.Between(0.2f, 0.27f));
    }

    public static void Mushroom(Sketch sketch, SplitMix random)
    {
        var width = random.Between(0.75f, 0.92f);
        var top = random.Between(0.75f, 0.98f);
        sketch.Fill(Second, $"M -0.24 0 Q -0.18 0.5 -0.34 0.9 H 0.34 Q 0.18 0.5 0.24 0 Z");
        sketch.Fill(Main, $"M {-width} 0.1 A {width} {top} 0 0 1 {width} 0.1 Q 0 0.32 {-width} 0.1 Z");
        sketch.Circle(Light, -0.4f, -0.2f, 0.14f);
        sketch.Circle(Light, 0.08f, -0.45f, 0.16f);
        sketch.Circle(Light, 0.48f, -0.12f, 0.12f);
    }

    public static void Snail(Sketch sketch, SplitMix random)
    {
        var shell = random.Between(0.5f, 0.6f);
        sketch.Line(Second, 0.08f, $"M 0.72 0.1 L 0.6 -0.35 M 0.86 0.1 L 0.96 -0.32");
        sketch.Circle(Dark, 0.6f, -0.38f, 0.07f);
        sketch.Circle(Dark, 0.96f, -0.36f, 0.07f);
        sketch.Fill(Second, $"M -0.98 0.8 Q -0.5 0.5 0.5 0.5 Q 0.55 0 0.78 0 Q 1 0.02 0.98 0.3 Q 0.95 0.8 0.5 0.82 Z");
        sketch.Circle(Main, -0.12f, 0.1f, shell);
        sketch.Line(Dark, 0.08f, $"""
            M -0.12 0.12 Q 0 0.1 -0.02 0 Q -0.1 -0.12 -0.24 -0.02
            Q -0.4 0.2 -0.18 0.34 Q 0.15 0.4 0.2 0.1 Q 0.2 -0.28 -0.15 -0.3 Q -0.5 -0.25 -0.5 0.15
            """);
    }

    public static void Snowman(Sketch sketch, SplitMix random)
    {
        var lower = random.Between(0.42f, 0.5f);
        sketch.Line(Dark, 0.07f, $"M -0.3 0 L -0.85 -0.3 M 0.3 0 L 0.85 -0.25 M -0.7 -0.22 L -0.75 -0.45 M 0.7 -0.18 L 0.78 -0.42");
        sketch.Circle(Main, 0, 0.5f, lower);
        sketch.Circle(Main, 0, -0.02f, 0.36f);
        sketch.Circle(Main, 0, -0.45f, 0.27f);
        sketch.Fill(Dark, $"M -0.36 -0.62 H 0.36 V -0.7 H 0.2 V -0.98 H -0.2 V -0.7 H -0.36 Z");
        sketch.Fill(Accent, $"M 0 -0.46 L 0.4 -0.38 L 0 -0.34 Z");
        sketch.Line(Second, 0.12f, $"M -0.25 -0.22 Q 0 -0.1 0.25 -0.22 M 0.15 -0.18 L 0.2 0.12");
        sketch.Circle(Dark, -0.1f, -0.52f, 0.045f);
        sketch.Circle(Dark, 0.1f, -0.52f, 0.045f);
        sketch.Circle(Dark, 0, 0.12f, 0.045f);
        sketch.Circle(Dark, 0, 0.4f, 0.045f);
    }

    public static void Tree(Sketch sketch, SplitMix random)
    {
        var trunk = random.Between(0.1f, 0.16f);
        sketch.Fill(Second, $"M {-trunk} 0.2 V 0.95 H {trunk} V 0.2 Z");
        if (random.Chance(0.5f))
        {
            var wide = random.Between(0.6f, 0.75f);
            sketch.Merged(Main,
                $"M 0 -0.98 L {wide * 0.6f} -0.4 H {-wide * 0.6f} Z",
                $"M 0 -0.7 L {wide * 0.8f} 0.05 H {-wide * 0.8f} Z",
                $"M 0 -0.3 L {wide} 0.55 H {-wide} Z");
            return;
        }
        var high = random.Between(0.48f, 0.58f);
        sketch.Merged(Main,
            $"M -0.52 -0.42 A 0.52 {high} 0 1 1 0.52 -0.42 A 0.52 {high} 0 1 1 -0.52 -0.42 Z",
            $"M -0.88 0 A 0.42 0.4 0 1 1 -0.04 0 A 0.42 0.4 0 1 1 -0.88 0 Z",
            $"M 0.04 0 A 0.42 0.4 0 1 1 0.88 0 A 0.42 0.4 0 1 1 0.04 0 Z",
            $"M -0.4 -0.1 H 0.4 V 0.34 H -0.4 Z");
        if (random.Chance(0.3f))
        {
            sketch.Circle(Accent, -0.35f, -0.1f, 0.09f);
            sketch.Circle(Accent, 0.3f, -0.45f, 0.09f);
            sketch.Circle(Accent, 0.4f, 0.05f, 0.09f);
        }
    }
}
