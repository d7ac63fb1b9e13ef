using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace PaperStudy;

/// <summary>Reads and checks a configuration.</summary>
internal static class StudyConfigFile
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        RespectNullableAnnotations = true,
        // A misspelled setting must not be silently ignored.
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(allowIntegerValues: false) },
    };

    /// <summary>Reads a configuration file.</summary>
    /// <exception cref="InvalidDataException">It is no valid configuration; the message says where and why.</exception>
    public static StudyConfig Read(string path)
    {
        StudyConfig config;
        try
        {
            config = JsonSerializer.Deserialize<StudyConfig>(File.ReadAllText(path), Options)
                ?? throw new InvalidDataException($"The configuration '{path}' holds null; expected an object.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"The configuration '{path}' cannot be read: {e.Message} Correct it there; " +
                "samples/PaperStudy/README.md lists all settings.", e);
        }
        var faults = Faults(config).ToArray();
        if (faults.Length > 0)
            throw new InvalidDataException(
                $"The configuration '{path}' has {faults.Length} " +
                    $"fault(s):{string.Concat(faults.Select(f => $"{Environment.NewLine}- {f}"))}");
        return config;
    }

    /// <summary>Reads a part of a configuration.</summary>
    /// <exception cref="InvalidDataException">A setting is unknown or has the wrong type.</exception>
    public static T Read<T>(JsonObject json, string what)
    {
        try
        {
            return json.Deserialize<T>(Options)!;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"Reading {what}: {e.Message} Correct the configuration; samples/PaperStudy/README.md lists " +
                "all settings.", e);
        }
    }

    /// <summary>A part of a configuration as text, the same for equal parts.</summary>
    public static string Write<T>(T part) => JsonSerializer.Serialize(part, Options);

    private static bool IsBlend(string prefix) =>
        prefix.Contains(" + ", StringComparison.Ordinal) || prefix.Contains(" - ", StringComparison.Ordinal);

    private static IEnumerable<string> Faults(StudyConfig config)
    {
        if (config.Seeds.Count == 0) yield return "seeds is empty; give at least one number, and three or more where intervals are wanted.";
        if (config.Seeds.Distinct().Count() < config.Seeds.Count) yield return "seeds names a number twice.";
        if (config.Sources.Count == 0) yield return "sources is empty; name at least one.";
        if (config.Tests.Count == 0) yield return "tests is empty; name at least one test set.";
        if (config.Models.Count == 0) yield return "models is empty; leave it out for the paper's five.";
        if (config.ValidationShare is not (>= 0 and <= 0.9))
            yield return FormattableString.Invariant($"validationShare is {config.ValidationShare}; it must be 0 to 0.9.");
        foreach (var loss in config.Losses.Concat(config.Models.SelectMany(m => m.Losses ?? [])).Distinct().Where(l =>
            l is not ("CLIP" or "UniCL")))
            yield return $"losses holds '{loss}'; use \"CLIP\", \"UniCL\" or both.";
        if (config.Losses.Count == 0) yield return "losses is empty; use \"CLIP\", \"UniCL\" or both.";
        if (config.Losses.Distinct().Count() < config.Losses.Count) yield return "losses names a loss twice.";
        foreach (var model in config.Models)
        {
            if (model.Losses?.Except(config.Losses).ToArray() is { Length: > 0 } losses)
                yield return $"Model '{model.Name}' names the loss {string.Join(", ", losses)}, which the study's losses do not have; " +
                    "add it there.";
            if (model.Seeds?.Except(config.Seeds).ToArray() is { Length: > 0 } seeds)
                yield return string.Create(CultureInfo.InvariantCulture,
                    $"Model '{model.Name}' names the seeds {string.Join(", ", seeds)}, which the " +
                    $"study's seeds do not have; add them there.");
        }
        foreach (var type in config.Sources.Select(s => s.Type).Distinct().Where(t =>
            t is "" or "none" or "auto" or "both" or "captions" or "labels"))
            yield return $"A source has the type '{type}', which means something else here; take another name.";
        foreach (var twice in config.Models.GroupBy(m => m.Name, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1))
            yield return $"Two models are named '{twice.Key}'.";
        foreach (var twice in config.Tests.GroupBy(t => t.Name).Where(g =>
            g.Count() > 1)) yield return $"Two test sets are named '{twice.Key}'.";
        foreach (var test in config.Tests.Where(t => t.SplitBy is not ("classes" or "images")))
            yield return $"splitBy of test set '{test.Name}' is '{test.SplitBy}'; use \"classes\" or \"images\".";
        foreach (var source in config.Sources)
        {
            var given = new[] { source.Folder, source.Table, source.IdxImages, source.Drawn }.Count(p => p is not null);
            if (given != 1) yield return $"A source of type '{source.Type}' gives {given} of folder, table, idxImages and drawn; give one.";
            if (source.HasCaptions && source.PerClass is not null) yield return $"A source of type '{source.Type}' has captions, which " +
                "have no classes; leave out perClass.";
        }
        foreach (var mixed in config.Sources.GroupBy(s => s.Type).Where(g => g.Select(s => s.HasCaptions).Distinct().Count() > 1))
            yield return $"The sources of type '{mixed.Key}' have captions and class names; give them different types.";
        foreach (var test in config.Tests)
        {
            var given = new[] { test.Folder, test.IdxImages, test.Drawn }.Count(p => p is not null);
            if (given != 1) yield return $"The test set '{test.Name}' gives {given} of folder, idxImages and drawn; give one.";
        }
        var idx = config.Sources.Select(s =>
            (s.Type, s.IdxImages, s.IdxLabels, s.ClassNames)).Concat(config.Tests.Select(t =>
            (t.Name, t.IdxImages, t.IdxLabels, t.ClassNames)));
        foreach (var (name, images, labels, classNames) in idx.Where(i => i.IdxImages is not null))
        {
            if (labels is null || classNames is null) yield return $"'{name}' has idxImages; give idxLabels and classNames too.";
            foreach (var unfit in (classNames ?? []).Where(n => n.Length == 0 || n.IndexOfAny(Path.GetInvalidFileNameChars()) >= 0))
                yield return $"classNames of '{name}' holds '{unfit}', which cannot be a folder's name; leave out characters such as /.";
        }
        if (config.Drawn is null && (config.Sources.Any(s => s.Drawn is not null) || config.Tests.Any(t => t.Drawn is not null)))
            yield return "A source or test set is drawn, but \"drawn\" with the numbers of pictures is missing; \"drawn\": {} takes the " +
                "defaults.";
        var models = config.Models.Select(m => m.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var name in config.Comparisons.SelectMany(c => c.Against.Prepend(c.Model)).Distinct().Where(n => !models.Contains(n)))
            yield return $"comparisons names the model '{name}'; there are {string.Join(", ", models)}.";
        var data = config.Sources.Select(s => s.Type).Concat(["both", "captions", "labels"]).ToHashSet(StringComparer.Ordinal);
        foreach (var model in config.Models.Where(m => !data.Contains(m.Data)))
            yield return $"data of model '{model.Name}' is '{model.Data}'; use one of " +
                $"{string.Join(", ", data.Order(StringComparer.Ordinal))}.";
        var prefixes = config.Models.Select(m => (m.Name, m.Prefix)).Concat(config.Comparisons.Select(c => (Name: c.Model, c.Prefix)));
        foreach (var (name, prefix) in prefixes.Distinct())
        {
            if (prefix is null || config.Models.FirstOrDefault(m => m.Name == name) is not { } model) continue;
            string[] known = [.. config.Sources.Where(s => s.IsPartOf(model.Data)).Select(s => s.Type).Distinct(), "none", "auto",
                StudyScores.AutoPrefix];
            // Of blends, which are sums, only the run knows which there are.
            if (!known.Contains(prefix) && !IsBlend(prefix))
                yield return $"prefix of model '{name}' is '{prefix}'; use one of {string.Join(", ", known)}, or a blend such as \"0.5 " +
                    "caption + 0.5 classification\".";
        }
    }
}
