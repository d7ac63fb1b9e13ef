using static Samples.Ink;

namespace Samples;

/// <summary>How things that drive, swim or fly are drawn, each time with slightly different proportions.</summary>
internal static class Vehicles
{
    public static void Balloon(Sketch sketch, SplitMix random)
    {
        var width = random.Between(0.46f, 0.58f);
        var bend = random.Between(0.12f, 0.3f);
        sketch.Line(Dark, 0.06f, $"M 0 0.4 Q {bend} 0.55 0 0.7 Q {-bend} 0.85 0.02 0.99");
        sketch.Fill(Main, $"M 0 0.32 L 0.11 0.46 H -0.11 Z");
        sketch.Fill(Main, $"""
            M 0 0.38 C {-width * 0.6f} 0.3 {-width} 0 {-width} -0.35
            C {-width} -1.15 {width} -1.15 {width} -0.35 C {width} 0 {width * 0.6f} 0.3 0 0.38 Z
            """);
        sketch.Ellipse(Light, -0.2f, -0.55f, 0.08f, 0.16f);
    }

    public static void Boat(Sketch sketch, SplitMix random)
    {
        var bow = random.Between(0.8f, 0.96f);
        var mast = random.Between(-0.98f, -0.8f);
        var sail = random.Between(0.6f, 0.8f);
        sketch.Line(Dark, 0.08f, $"M 0 {mast} V 0.4");
        sketch.Fill(Second, $"M 0.06 {mast} Q {sail * 0.7f} -0.4 {sail} 0.22 H 0.06 Z");
        if (random.Chance(0.7f)) sketch.Fill(Accent, $"M -0.08 {mast + 0.25f} L -0.55 0.22 H -0.08 Z");
        sketch.Fill(Main, $"M {-bow} 0.36 H {bow} Q {bow - 0.1f} 0.85 0.55 0.9 H -0.55 Q {-bow + 0.1f} 0.85 {-bow} 0.36 Z");
    }

    public static void Car(Sketch sketch, SplitMix random)
    {
        var roof = random.Between(-0.58f, -0.42f);
        var back = random.Between(-0.75f, -0.5f);
        sketch.Merged(Main,
            $"M -0.95 0 Q -0.95 -0.1 -0.85 -0.1 H 0.75 Q 0.97 -0.05 0.97 0.12 V 0.42 H -0.95 Z",
            $"M {back} -0.05 L {back + 0.18f} {roof} H 0.25 L 0.6 -0.05 Z");
        sketch.Fill(Light, $"M {back + 0.17f} -0.1 L {back + 0.28f} {roof + 0.12f} H -0.14 V -0.1 Z");
        sketch.Fill(Light, $"M -0.02 -0.1 V {roof + 0.12f} H 0.2 L 0.42 -0.1 Z");
        sketch.Circle(Accent, 0.87f, 0.1f, 0.08f);
        foreach (var x in (ReadOnlySpan<float>)[-0.52f, 0.55f])
        {
            sketch.Circle(Dark, x, 0.42f, 0.24f);
            sketch.Circle(Light, x, 0.42f, 0.1f);
        }
    }

    public static void Kite(Sketch sketch, SplitMix random)
    {
        var width = random.Between(0.5f, 0.65f);
        sketch.Line(Dark, 0.06f, $"M 0 0.35 Q 0.2 0.55 0 0.7 Q -0.2 0.82 0.05 0.98");
        sketch.Fill(Main, $"M 0 -0.98 L {width} -0.35 L 0 0.4 L {-width} -0.35 Z");
        sketch.Fill(Second, $"M 0 -0.98 L {width} -0.35 H 0 Z");
        sketch.Fill(Second, $"M 0 0.4 L {-width} -0.35 H 0 Z");
        sketch.Fill(Accent, $"M 0.05 0.62 L -0.16 0.5 V 0.74 Z M 0.05 0.62 L 0.26 0.5 V 0.74 Z");
        sketch.Fill(Accent, $"M -0.05 0.86 L -0.25 0.76 V 0.98 Z M -0.05 0.86 L 0.15 0.76 V 0.98 Z");
        sketch.Turn(random.Between(10, 35));
    }

    public static void Rocket(Sketch sketch, SplitMix random)
    {
        var width = random.Between(0.28f, 0.36f);
        var fin = random.Between(0.58f, 0.75f);
        sketch.Fill(Accent, $"M {-width * 0.7f} 0.52 Q 0 1.35 {width * 0.7f} 0.52 Z");
        sketch.Fill(Second, $"M {width - 0.08f} 0.05 L {fin} 0.45 V 0.75 L {width - 0.08f} 0.5 Z");
        sketch.Fill(Second, $"M {-width + 0.08f} 0.05 L {-fin} 0.45 V 0.75 L {-width + 0.08f} 0.5 Z");
        sketch.Fill(Main, $"M 0 -0.98 Q {width + 0.1f} -0.5 {width} 0.55 H {-width} Q {-width - 0.1f} -0.5 0 -0.98 Z");
        sketch.Fill(Second, $"""
            M 0 -0.98 Q {width * 0.62f} -0.72 {width * 0.88f} -0.45 H {-width * 0.88f} Q {-width * 0.62f} -0.72 0 -0.98 Z
            """);
        sketch.Circle(Dark, 0, -0.1f, 0.19f);
        sketch.Circle(Light, 0, -0.1f, 0.12f);
        sketch.Turn(random.Between(-8, 25));
    }
}
