namespace Samples;

/// <summary>Shows pictures with what they are and what the model says. The pictures are part of the page.</summary>
internal static class PredictionGrid
{
    public static Html Draw(PredictionSet set)
    {
        var right = set.Predictions.Count(prediction => prediction.IsRight);
        var html = new Html()
            .Add($"<h3>{set.Name}</h3>")
            .Add($"<p>{set.Description} {right} of these {set.Predictions.Count} are right.</p>")
            .Add($"""<ul class="pictures">""");
        foreach (var prediction in set.Predictions) html.Add($"{Entry(prediction)}");
        return html.Add($"</ul>");
    }

    // Right and wrong differ by sign, word and line style, not by color alone.
    private static Html Entry(Prediction prediction)
    {
        var (sign, word) = prediction.IsRight ? ("✓", "right") : ("✗", "wrong");
        var entry = new Html()
            .Add($"""<li class="{word}">{Image(prediction)}<div>""")
            .Add($"""<span class="verdict"><span aria-hidden="true">{sign}</span> {word}</span>""")
            .Add($"<br>{prediction.PredictedClass} {Html.Percent(prediction.Probability)}");
        if (!prediction.IsRight) entry.Add($"<br>(it is: {prediction.TrueClass})");
        return entry.Add($"</div></li>");
    }

    private static Html Image(Prediction prediction)
    {
        var kind = Path.GetExtension(prediction.ImagePath).ToUpperInvariant() switch
        {
            ".JPG" or ".JPEG" => "jpeg",
            ".GIF" => "gif",
            ".WEBP" => "webp",
            ".BMP" => "bmp",
            _ => "png",
        };
        try
        {
            var content = Convert.ToBase64String(File.ReadAllBytes(prediction.ImagePath));
            return new Html()
                .Add($"""<img width="96" height="96" alt="Test picture of class {prediction.TrueClass}" """)
                .Add($"""src="data:image/{kind};base64,{content}">""");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // One lost picture is no reason to lose the report.
            return new Html().Add($"""<div class="lost">no picture: {Path.GetFileName(prediction.ImagePath)} cannot be read</div>""");
        }
    }
}
