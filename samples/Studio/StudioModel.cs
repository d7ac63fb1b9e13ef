using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.PrefixConditioning;
using SkiaSharp;

namespace Studio;

/// <summary>The model behind the page. Calls wait for each other: one uses all cores.</summary>
internal sealed class StudioModel : IDisposable
{
    private const string PixelColumn = "Pixels", PlaneColumn = "Plane";
    private const int MaxClasses = 200, LongestClassName = 300, ThumbnailSide = 160, ThumbnailQuality = 85;

    private readonly MLContext _mlContext;
    private readonly PrefixClipTransformer _clip;
    private readonly ClipPixelsTransformer _pixels;
    private readonly Lock _using = new();
    private readonly string _name;

    private StudioModel(MLContext mlContext, PrefixClipTransformer clip, string name)
    {
        (_mlContext, _clip, _name) = (mlContext, clip, name);
        _pixels = mlContext.Transforms.ClipPixels(clip, PixelColumn, nameof(EncodedFile.File)).Fit(Files([]));
    }

    private bool CanBlend => Prefixes.Contains(DatasetType.Caption.Name) && Prefixes.Contains(DatasetType.Classification.Name);

    private IReadOnlyList<string> Prefixes => [.. _clip.DatasetTypes.Select(type => type.Name)];

    /// <summary>Loads a saved ML.NET model if the path is a ZIP file, or published weights.</summary>
    /// <exception cref="ArgumentException">The ZIP file holds another kind of model.</exception>
    public static StudioModel Load(string path)
    {
        var mlContext = new MLContext(seed: 1);
        if (!File.Exists(path) || Path.GetExtension(path) is not ".zip")
            return new(mlContext, mlContext.Model.LoadClip(path), NameOf(path));
        var model = mlContext.Model.Load(path, out _);
        var clip = (model as IEnumerable<ITransformer> ?? [model]).Select(step =>
            step as PrefixClipTransformer ?? (step as ZeroShotClassificationTransformer)?.Model).FirstOrDefault(step => step is not null);
        return clip is not null ? new(mlContext, clip, NameOf(path)) : throw new ArgumentException($"'{path}' is a model of type " +
            $"{model.GetType().Name}. Save the result of PrefixClip or ZeroShotClassification and pass its file.");
    }

    /// <summary>What the page shows about the model.</summary>
    public ModelInfo Describe(bool hasFolder) => new(_name, Prefixes, CanBlend, _clip.Architecture.ImageSize,
        _clip.Architecture.EmbeddingSize, hasFolder, Gallery.MaxImages, Gallery.MaxFileBytes);

    /// <summary>An index for the texts that are searched for.</summary>
    public ClipSearchIndex NewIndex() => new(_clip);

    /// <summary>Adds an image under its number.</summary>
    public void AddTo(ClipSearchIndex index, GalleryImage image) =>
        index.AddImages(Embeddings([image]), nameof(EmbeddingRow.Embedding), nameof(EmbeddingRow.Key));

    /// <summary>Encodes an image file and draws what the model sees of it.</summary>
    /// <param name="file">PNG, JPEG, WebP, BMP or GIF.</param>
    /// <returns>The embedding, of unit length, and a JPEG file.</returns>
    /// <exception cref="InvalidDataException">The file is no image, damaged, or too large.</exception>
    public (float[] Embedding, byte[] Thumbnail) Read(byte[] file)
    {
        lock (_using)
        {
            var embedding = _clip.EncodeImages([file])[0];
            if (float.IsNaN(embedding[0]))
                throw new InvalidDataException("The file is no readable image. Use PNG, JPEG, WebP, BMP or GIF.");
            return (embedding, Thumbnail(_pixels.Transform(Files([file])).GetColumn<float[]>(PixelColumn).Single()));
        }
    }

    /// <summary>Classifies images by their embeddings.</summary>
    /// <exception cref="ArgumentException">The request is out of its limits, or this model cannot fulfil it.</exception>
    public Classification Classify(ClassifyRequest request, IReadOnlyList<GalleryImage> images)
    {
        Check(request);
        if (images.Count == 0) throw new ArgumentException("There are no images to classify. Add images first.");
        var options = new ZeroShotClassificationOptions
        {
            ClassNames = request.ClassNames,
            Prefix = PrefixOf(request.ClassificationWeight),
            ImageColumnName = nameof(EmbeddingRow.Embedding),
        };
        var rows = Embeddings(images);
        lock (_using)
        {
            var classifier = _mlContext.Transforms.ZeroShotClassification(_clip, options).Fit(rows);
            var scores = classifier.Transform(rows).GetColumn<float[]>(options.ScoreColumnName);
            var weight = classifier.Prefix.Weights.Where(w => w.DatasetType == DatasetType.Classification.Name).Sum(w => w.Weight);
            return new(classifier.Prefix.ToString(), weight,
                [.. images.Zip(scores, (image, probabilities) => new ImageProbabilities(image.Info.Id, probabilities))]);
        }
    }

    /// <summary>Projects embeddings on the plane that shows most of their variance.</summary>
    /// <returns>One point per image; none for fewer than three images.</returns>
    public IReadOnlyList<MapPoint> Map(IReadOnlyList<GalleryImage> images)
    {
        if (images.Count < 3) return [];
        var rows = Embeddings(images);
        var oversampling = Math.Min(20, _clip.Architecture.EmbeddingSize - 2);
        var plane = _mlContext.Transforms.ProjectToPrincipalComponents(PlaneColumn, nameof(EmbeddingRow.Embedding), rank: 2,
            overSampling: oversampling, seed: 1);
        var points = plane.Fit(rows).Transform(rows).GetColumn<float[]>(PlaneColumn);
        return [.. images.Zip(points, (image, point) => new MapPoint(image.Info.Id, point[0], point[1]))];
    }

    public void Dispose() => _clip.Dispose();

    private static string NameOf(string path) => File.Exists(path) || Directory.Exists(path)
        ? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))) : path;

    private static void Check(ClassifyRequest request)
    {
        if (request.ClassNames is not { Count: >= 2 and <= MaxClasses } names)
            throw new ArgumentException($"There are {request.ClassNames?.Count ?? 0} class names; give 2 to {MaxClasses}.");
        if (names.Any(name => string.IsNullOrWhiteSpace(name) || name.Length > LongestClassName))
            throw new ArgumentException($"A class name is empty or longer than {LongestClassName} characters.");
        if (request.ClassificationWeight is { } weight && weight is not (>= 0 and <= 1))
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"The classification prefix has the weight {weight}; give 0 to 1, or leave it out to choose it from the images."));
    }

    private PrefixSelection? PrefixOf(double? weight) => weight switch
    {
        null => PrefixSelection.Auto,
        _ when !CanBlend => null,   // the model's default
        0 => PrefixSelection.Caption,
        1 => PrefixSelection.For(DatasetType.Classification.Name),
        { } share => PrefixSelection.Blend((DatasetType.Caption.Name, 1 - share), (DatasetType.Classification.Name, share)),
    };

    private IDataView Embeddings(IEnumerable<GalleryImage> images)
    {
        var schema = SchemaDefinition.Create(typeof(EmbeddingRow));
        schema[nameof(EmbeddingRow.Embedding)].ColumnType =
            new VectorDataViewType(NumberDataViewType.Single, _clip.Architecture.EmbeddingSize);
        return _mlContext.Data.LoadFromEnumerable(images.Select(image => new EmbeddingRow
        {
            Key = image.Info.Id.ToString(CultureInfo.InvariantCulture), Embedding = image.Embedding,
        }), schema);
    }

    private IDataView Files(IEnumerable<byte[]> files) =>
        _mlContext.Data.LoadFromEnumerable(files.Select(file => new EncodedFile { File = file }));

    /// <param name="values">[3, S, S], 0 to 255.</param>
    private byte[] Thumbnail(float[] values)
    {
        var side = _clip.Architecture.ImageSize;
        using var full = new SKBitmap(new SKImageInfo(side, side, SKColorType.Rgba8888, SKAlphaType.Opaque));
        byte Value(int channel, int pixel) => (byte)values[(channel * side * side) + pixel];
        full.Pixels = [.. Enumerable.Range(0, side * side).Select(i => new SKColor(Value(0, i), Value(1, i), Value(2, i)))];
        var small = Math.Min(side, ThumbnailSide);   // the browser enlarges what is smaller
        using var resized = full.Resize(new SKImageInfo(small, small, full.ColorType, SKAlphaType.Opaque), SKFilterQuality.High);
        using var file = resized.Encode(SKEncodedImageFormat.Jpeg, ThumbnailQuality);
        return file.ToArray();
    }

    private sealed class EncodedFile
    {
        public byte[] File { get; set; } = [];
    }

    private sealed class EmbeddingRow
    {
        public string Key { get; set; } = "";

        public float[] Embedding { get; set; } = [];
    }
}
