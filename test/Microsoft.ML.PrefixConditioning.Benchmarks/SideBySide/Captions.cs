namespace Microsoft.ML.PrefixConditioning.Benchmarks;

/// <summary>Texts as they occur: captions of photographs, and class names.</summary>
internal static class Captions
{
    /// <summary>Captions of 4 to 21 words.</summary>
    public static IReadOnlyList<string> Photographs { get; } =
    [
        "a brown dog running along the beach with a stick in its mouth", "two children share an umbrella",
            "a bowl of noodle soup with a soft egg and spring onions",
        "an old tram climbs a steep street between pastel houses on a foggy morning", "close-up of a bee on a lavender flower",
        "a man in a yellow raincoat feeding pigeons in front of the town hall", "sunset over the harbour",
            "a red bicycle leaning against a brick wall",
        "three women laughing at a long wooden table in a garden full of paper lanterns", "the night train waiting at an empty platform",
        "a stack of second-hand books on a window sill next to a sleeping cat", "a snow-covered pine forest seen from above",
            "freshly baked bread on a cooling rack",
        "a skateboarder jumps over a flight of stairs while his friends are filming", "black and white portrait of an elderly fisherman",
        "a lighthouse on a cliff during a storm with high waves breaking on the rocks below", "green apples in a basket",
            "an orchestra tuning before the concert",
        "a girl blows out the candles of her birthday cake while her grandparents clap their hands",
            "a hot air balloon drifting over vineyards at dawn",
        "empty parking garage with flickering neon lights", "a zebra and her foal drinking at a water hole",
            "hand-painted tiles on the front of a bakery",
        "a climber hangs from an overhanging rock high above the valley", "a paper boat floating in a puddle",
            "the skyline of a big city reflected in a quiet river at night",
        "a market stall with spices in every colour from saffron yellow to deep chilli red", "a white horse in tall grass",
            "someone typing on a laptop in a crowded café",
        "an abandoned greenhouse overgrown with ivy and wild roses", "a plate of grilled fish with lemon and rosemary potatoes",
            "two swans on a frozen lake",
        "a firefighter carries a small dog out of a smoking building", "a wooden pier leading into the mist",
            "kite surfers off the coast on a windy afternoon",
        "a mechanic lying under a vintage car in a cluttered workshop", "rows of solar panels in the desert",
            "a barefoot boy fishing from a bridge with his older sister",
        "autumn leaves on a wet cobblestone street",
            "a chef tosses vegetables in a flaming wok while cooks behind him prepare dumplings for the evening",
        "a tabby cat looking out of a train window", "crowds celebrating a goal in a football stadium",
            "a spiral staircase seen from below",
        "a farmer with a straw hat drives an old tractor across a field of sunflowers", "raindrops on a spider web",
            "a yellow taxi stuck in traffic",
        "a ballet dancer tying her shoes in the corridor behind the stage", "ancient temple ruins surrounded by jungle",
            "a mother duck crossing the road with eight ducklings",
        "an astronaut floating outside the space station with the blue curve of the earth behind",
            "a glass of iced coffee on a marble table", "fireworks above a castle",
        "a street musician playing the accordion to a single passer-by in the snow", "herd of sheep blocking a narrow mountain road",
            "a toddler covered in paint",
        "a library reading room with green lamps and vaulted ceilings where nobody speaks",
            "a drone view of turquoise water around a small island", "dew on fresh grass",
        "a potter shapes a tall vase on a spinning wheel", "an owl sitting on a fence post at dusk",
            "a suspension bridge disappearing in low clouds",
        "a family of four posing in matching sweaters in front of the fireplace", "a rusty anchor on a shingle beach",
            "pancakes with blueberries and maple syrup",
    ];

    /// <summary>Nouns, for batches of labeled images.</summary>
    public static IReadOnlyList<string> ClassNames { get; } =
    [
        "accordion", "airplane", "anchor", "ant", "apple", "backpack", "balloon", "banana", "barn", "bat", "bear", "bee", "bicycle",
            "bridge", "broom", "bus",
        "butterfly", "cactus", "camel", "camera", "candle", "canoe", "castle", "cat", "chair", "clock", "cow", "crab", "cup", "dolphin",
            "drum", "eagle",
        "elephant", "envelope", "fork", "frog", "giraffe", "guitar", "hammer", "helicopter", "horse", "kangaroo", "kettle", "ladder",
            "lighthouse", "lion", "lobster", "mushroom",
        "octopus", "owl", "palm tree", "penguin", "piano", "rabbit", "sailing boat", "saxophone", "scissors", "snail", "spoon", "squirrel",
            "tractor", "umbrella", "whale", "windmill",
    ];
}
