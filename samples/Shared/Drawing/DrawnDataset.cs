using System.Globalization;
using System.Text;

namespace Samples;

/// <summary>Draws data for samples: labeled pictures, captioned pictures, and test sets near to and far from the labeled ones.</summary>
/// <remarks>
/// What it imitates is the finding behind prefix conditioning: labels come with a narrow kind of picture and only a name,
/// captions with all kinds of pictures and whole sentences. The same seed always draws the same files.
/// </remarks>
internal static class DrawnDataset
{
    /// <summary>Changed with anything that changes a picture, so that older folders are drawn again.</summary>
    public const int Version = 7;

    private const string StampName = "drawn.txt";

    private static readonly string[] Folders = ["classification", "captions", "test"];

    /// <summary>Draws everything into a folder, or returns at once when the same was drawn there before.</summary>
    /// <param name="folder">Created if missing; an older drawing in it is replaced.</param>
    /// <param name="seed">Any number.</param>
    /// <param name="sizes">How many pictures.</param>
    /// <param name="progress">Called with the share that is done, 0 to 1, rising; never from two threads at once.</param>
    /// <exception cref="IOException">The folder holds something else under one of the names that are needed.</exception>
    public static DrawnDatasetPaths Write(string folder, int seed, DrawnDatasetSizes sizes, Action<double>? progress = null)
    {
        var paths = PathsIn(folder);
        var complete = string.Create(CultureInfo.InvariantCulture,
            $"Drawn by this repository's samples: version {Version}, seed {seed}, {sizes}");
        var stamp = Path.Combine(folder, StampName);
        if (File.Exists(stamp) && File.ReadAllText(stamp) == complete) return paths;

        // An interrupted drawing leaves this stamp, and is drawn again.
        const string Incomplete = "Being drawn; incomplete";
        if (File.Exists(stamp)) File.WriteAllText(stamp, Incomplete);
        Clear(folder, stamp);
        File.WriteAllText(stamp, Incomplete);
        Draw(paths, seed, sizes, progress);
        File.WriteAllText(stamp, complete);
        return paths;
    }

    private static DrawnDatasetPaths PathsIn(string folder)
    {
        DrawnTestSet Test(string name, IReadOnlyList<DrawnObject> things, string description) =>
            new(name, Path.Combine(folder, "test", name), description, [.. things.Select(thing => thing.Name)]);

        return new DrawnDatasetPaths(
            Path.Combine(folder, "classification"),
            Path.Combine(folder, "captions", "captions.tsv"),
            Path.Combine(folder, "captions", "images"),
            [
                Test("near", DrawnObject.Labeled, "New pictures of the same kind as the labeled ones."),
                Test("far-colours", DrawnObject.Labeled, "The same things in any colour, on strong plain colours."),
                Test("far-styles", DrawnObject.Labeled,
                    "Crayon, watercolour, stickers and paper cuts; captioned pictures have these styles too."),
                Test("far-scenes", DrawnObject.Labeled, "Small and turned things in any colour, in places full of other shapes."),
                Test("unseen", DrawnObject.CaptionOnly, "Things that have no labeled picture, in every style of the captioned ones."),
            ]);
    }

    private static void Clear(string folder, string stamp)
    {
        foreach (var path in Folders.Select(name => Path.Combine(folder, name)).Where(Path.Exists))
        {
            if (!File.Exists(stamp))
                throw new IOException(
                    $"'{path}' was not drawn by this sample (there is no {StampName} beside it). "
                    + "Give an empty folder for the data, or move it away.");
            Directory.Delete(path, recursive: true);
        }
        Directory.CreateDirectory(folder);
    }

    private static void Draw(DrawnDatasetPaths paths, int seed, DrawnDatasetSizes sizes, Action<double>? progress)
    {
        var captions = new string[sizes.Captioned];
        var jobs = new List<Job>();
        AddFolder(jobs, paths.Classification, DrawnObject.Labeled, sizes.LabeledPerClass, Scenes.Labeled);
        AddFolder(jobs, paths.Tests[0].Folder, DrawnObject.Labeled, sizes.TestPerClass, Scenes.Labeled);
        AddFolder(jobs, paths.Tests[1].Folder, DrawnObject.Labeled, sizes.TestPerClass, Scenes.Recoloured);
        AddFolder(jobs, paths.Tests[2].Folder, DrawnObject.Labeled, sizes.TestPerClass, Scenes.MadeByHand);
        AddFolder(jobs, paths.Tests[3].Folder, DrawnObject.Labeled, sizes.TestPerClass, Scenes.Cluttered);
        AddFolder(jobs, paths.Tests[4].Folder, DrawnObject.CaptionOnly, sizes.UnseenPerClass, Scenes.AnyStyle);
        Directory.CreateDirectory(paths.CaptionImages);
        for (var index = 0; index < sizes.Captioned; index++)
        {
            var row = index;
            jobs.Add(new Job(
                Path.Combine(paths.CaptionImages, FileName(row)),
                (picture, random) => captions[row] = Scenes.Captioned(picture, random)));
        }

        Run(jobs, seed, progress);
        var table = new StringBuilder("image\tcaption\n");
        for (var row = 0; row < captions.Length; row++) table.Append(FileName(row)).Append('\t').Append(captions[row]).Append('\n');
        File.WriteAllText(paths.CaptionTable, table.ToString());
    }

    private static void AddFolder(
        List<Job> jobs, string folder, IReadOnlyList<DrawnObject> things, int perClass, Action<Picture, DrawnObject, SplitMix> draw)
    {
        foreach (var thing in things)
        {
            var classFolder = Path.Combine(folder, thing.Name);
            Directory.CreateDirectory(classFolder);
            for (var index = 0; index < perClass; index++)
                jobs.Add(new Job(Path.Combine(classFolder, FileName(index)), (picture, random) => draw(picture, thing, random)));
        }
    }

    private static void Run(List<Job> jobs, int seed, Action<double>? progress)
    {
        var (done, reporting) = (0, new Lock());
        // Every picture has a generator of its own, so the order in which threads draw changes nothing.
        Parallel.For(0, jobs.Count, index =>
        {
            var random = SplitMix.For(seed, index);
            using (var picture = new Picture(random))
            {
                jobs[index].Draw(picture, random);
                picture.Save(jobs[index].Path);
            }
            lock (reporting)
                if (++done % 50 == 0 || done == jobs.Count) progress?.Invoke((double)done / jobs.Count);
        });
    }

    private static string FileName(int index) => index.ToString("D5", CultureInfo.InvariantCulture) + ".png";

    private readonly record struct Job(string Path, Action<Picture, SplitMix> Draw);
}

/// <summary>How many pictures to draw.</summary>
/// <param name="LabeledPerClass">Labeled pictures for each of 16 classes.</param>
/// <param name="Captioned">Captioned pictures.</param>
/// <param name="TestPerClass">Pictures for each of 16 classes in each of four test sets.</param>
/// <param name="UnseenPerClass">Pictures for each of the ten classes that only captions name.</param>
internal sealed record DrawnDatasetSizes(int LabeledPerClass, int Captioned, int TestPerClass, int UnseenPerClass);

/// <summary>Where the drawn data lies.</summary>
/// <param name="Classification">Folder with one folder of pictures per class.</param>
/// <param name="CaptionTable">Tab-separated file with the columns image and caption.</param>
/// <param name="CaptionImages">Folder that the table's image names are relative to.</param>
/// <param name="Tests">The test sets, in the order of a report.</param>
internal sealed record DrawnDatasetPaths(
    string Classification, string CaptionTable, string CaptionImages, IReadOnlyList<DrawnTestSet> Tests);

/// <summary>One test set.</summary>
/// <param name="Name">Short name, such as "near".</param>
/// <param name="Folder">Folder with one folder of pictures per class.</param>
/// <param name="Description">One sentence about its pictures.</param>
/// <param name="Classes">Its class names.</param>
internal sealed record DrawnTestSet(string Name, string Folder, string Description, IReadOnlyList<string> Classes);
