using static Samples.Ink;

namespace Samples;

/// <summary>How buildings and things of the house are drawn, each time with slightly different proportions.</summary>
internal static class Household
{
    public static void Bell(Sketch sketch, SplitMix random)
    {
        var width = random.Between(0.46f, 0.58f);
        sketch.Ring(Main, 0.1f, 0, -0.82f, 0.12f);
        sketch.Circle(Dark, 0, 0.74f, 0.17f);
        sketch.Fill(Main, $"""
            M -0.2 -0.7 C {-width} -0.6 {-width} 0 {-width - 0.04f} 0.25 Q {-width - 0.1f} 0.5 -0.82 0.66
            H 0.82 Q {width + 0.1f} 0.5 {width + 0.04f} 0.25 C {width} 0 {width} -0.6 0.2 -0.7 Z
            """);
        sketch.Line(Second, 0.12f, $"M {-width} 0.28 H {width}");
        sketch.Turn(random.Between(-18, 18));
    }

    public static void Chair(Sketch sketch, SplitMix random)
    {
        var top = random.Between(-0.98f, -0.8f);
        if (random.Chance(0.5f))
        {
            sketch.Line(Main, 0.15f, $"M -0.5 {top} L -0.42 0.2 V 0.92 M 0.45 0.25 V 0.92");
            sketch.Line(Main, 0.08f, $"M -0.42 0.6 H 0.45");
            sketch.Fill(Second, $"M -0.55 0.08 H 0.58 V 0.28 H -0.55 Z");
            return;
        }
        sketch.Line(Main, 0.14f, $"""
            M -0.42 {top} V 0.1 M 0.42 {top} V 0.1 M -0.42 {top + 0.08f} H 0.42
            M -0.42 {top + 0.45f} H 0.42 M -0.5 0.2 V 0.92 M 0.5 0.2 V 0.92 M -0.3 0.3 V 0.72 M 0.3 0.3 V 0.72
            """);
        sketch.Fill(Second, $"M -0.46 0 H 0.46 L 0.62 0.3 H -0.62 Z");
    }

    public static void Clock(Sketch sketch, SplitMix random)
    {
        var hour = random.Between(0, 2 * MathF.PI);
        var minute = random.Between(0, 2 * MathF.PI);
        sketch.Line(Dark, 0.12f, $"M -0.45 0.6 L -0.62 0.92 M 0.45 0.6 L 0.62 0.92");
        sketch.Circle(Second, -0.5f, -0.7f, 0.24f);
        sketch.Circle(Second, 0.5f, -0.7f, 0.24f);
        sketch.Circle(Main, 0, 0.08f, 0.78f);
        sketch.Circle(Light, 0, 0.08f, random.Between(0.56f, 0.64f));
        sketch.Line(Dark, 0.06f, $"M 0 -0.46 V -0.34 M 0 0.5 V 0.62 M -0.54 0.08 H -0.42 M 0.42 0.08 H 0.54");
        sketch.Line(Dark, 0.09f, $"M 0 0.08 L {0.28f * MathF.Sin(hour)} {0.08f - 0.28f * MathF.Cos(hour)}");
        sketch.Line(Dark, 0.07f, $"M 0 0.08 L {0.44f * MathF.Sin(minute)} {0.08f - 0.44f * MathF.Cos(minute)}");
    }

    public static void Crown(Sketch sketch, SplitMix random)
    {
        var peak = random.Between(-0.75f, -0.5f);
        var side = random.Between(-0.5f, -0.25f);
        sketch.Fill(Main, $"M -0.78 0.7 L -0.92 {side} L -0.42 0.12 L 0 {peak} L 0.42 0.12 L 0.92 {side} L 0.78 0.7 Z");
        sketch.Fill(Second, $"M -0.81 0.44 H 0.81 L 0.78 0.7 H -0.78 Z");
        sketch.Circle(Accent, 0, peak - 0.06f, 0.12f);
        sketch.Circle(Accent, -0.9f, side - 0.06f, 0.1f);
        sketch.Circle(Accent, 0.9f, side - 0.06f, 0.1f);
        sketch.Circle(Accent, 0, 0.2f, 0.12f);
    }

    public static void Cup(Sketch sketch, SplitMix random)
    {
        var bottom = random.Between(0.36f, 0.52f);
        var low = random.Between(0.6f, 0.78f);
        sketch.Line(Main, 0.16f, $"M 0.42 -0.25 C 0.98 -0.38 1 0.4 0.38 0.38");
        sketch.Fill(Main, $"M -0.72 -0.5 L {-bottom - 0.08f} {low} Q -0.08 {low + 0.22f} {bottom - 0.08f} {low} L 0.56 -0.5 Z");
        sketch.Ellipse(Main, -0.08f, -0.5f, 0.64f, 0.16f);
        sketch.Ellipse(Second, -0.08f, -0.5f, 0.53f, 0.1f);
        if (random.Chance(0.4f)) sketch.Line(Light, 0.1f, $"M -0.6 0.1 Q -0.08 0.28 0.44 0.1");
        if (random.Chance(0.4f)) sketch.Line(Accent, 0.06f, $"M -0.25 -0.68 Q -0.15 -0.8 -0.25 -0.95 M 0.08 -0.68 Q 0.18 -0.8 0.08 -0.95");
    }

    public static void House(Sketch sketch, SplitMix random)
    {
        var wall = random.Between(0.58f, 0.78f);
        var eaves = random.Between(-0.2f, 0.05f);
        var ridge = random.Between(-0.95f, -0.72f);
        var door = random.Between(-0.2f, 0.2f);
        if (random.Chance(0.6f)) sketch.Fill(Dark, $"M 0.28 {eaves} V {ridge} H 0.5 V {eaves} Z");
        sketch.Fill(Main, $"M {-wall} {eaves - 0.02f} H {wall} V 0.92 H {-wall} Z");
        sketch.Fill(Second, $"M {-wall - 0.18f} {eaves} L 0 {ridge} L {wall + 0.18f} {eaves} Z");
        sketch.Fill(Dark, $"M {door - 0.13f} 0.92 V 0.42 H {door + 0.13f} V 0.92 Z");
        sketch.Fill(Light, $"M {-wall + 0.1f} {eaves + 0.15f} h 0.24 v 0.24 h -0.24 Z");
        sketch.Fill(Light, $"M {wall - 0.34f} {eaves + 0.15f} h 0.24 v 0.24 h -0.24 Z");
    }

    public static void Key(Sketch sketch, SplitMix random)
    {
        var ring = random.Between(0.28f, 0.36f);
        sketch.Ring(Main, 0.19f, -0.55f, 0, ring);
        var (first, second) = (random.Between(0.26f, 0.4f), random.Between(0.22f, 0.34f));
        sketch.Line(Main, 0.17f, $"M {-0.5f + ring} 0 H 0.88 M 0.84 0 V {first} M 0.55 0 V {second}");
        sketch.Turn(random.Between(-60, 60));
    }

    public static void Ladder(Sketch sketch, SplitMix random)
    {
        var low = random.Between(0.38f, 0.48f);
        var high = random.Between(0.24f, 0.38f);
        sketch.Line(Main, 0.13f, $"""
            M {-low} 0.93 L {-high} -0.93 M {low} 0.93 L {high} -0.93
            M {-low} 0.6 H {low} M {-low} 0.25 H {low} M {-high} -0.1 H {high} M {-high} -0.42 H {high} M {-high} -0.72 H {high}
            """);
        sketch.Turn(random.Between(-25, 25));
    }

    public static void Lamp(Sketch sketch, SplitMix random)
    {
        var top = random.Between(0.22f, 0.36f);
        var width = random.Between(0.58f, 0.72f);
        sketch.Line(Second, 0.14f, $"M 0 -0.1 V 0.8");
        sketch.Fill(Second, $"M -0.42 0.95 Q -0.35 0.68 0 0.68 Q 0.35 0.68 0.42 0.95 Z");
        sketch.Fill(Main, $"M {-top} -0.92 H {top} L {width} -0.08 H {-width} Z");
        if (random.Chance(0.5f)) sketch.Line(Dark, 0.05f, $"M 0.3 -0.08 V 0.2");
    }

    public static void Star(Sketch sketch, SplitMix random)
    {
        sketch.Star(Main, 5, random.Between(0.9f, 1), random.Between(0.38f, 0.5f));
        sketch.Turn(random.Between(-20, 20));
    }

    public static void Umbrella(Sketch sketch, SplitMix random)
    {
        var top = random.Between(0.75f, 0.92f);
        sketch.Line(Dark, 0.09f, $"M 0 {-top - 0.06f} V 0.78 Q 0 0.95 0.16 0.95 Q 0.32 0.95 0.32 0.76");
        sketch.Fill(Main, $"""
            M -0.94 0.04 A 0.94 {top} 0 0 1 0.94 0.04
            Q 0.63 -0.18 0.32 0.04 Q 0 -0.18 -0.32 0.04 Q -0.63 -0.18 -0.94 0.04 Z
            """);
        sketch.Fill(Second, $"M -0.32 0.04 Q 0 -0.18 0.32 0.04 Q 0.3 -0.5 0 {-top + 0.04f} Q -0.3 -0.5 -0.32 0.04 Z");
        sketch.Turn(random.Between(-15, 15));
    }
}
