using System.Globalization;
using Microsoft.ML.PrefixConditioning;

namespace Studio;

/// <summary>The images of a run, in memory: embedding and thumbnail of each, the files themselves are not kept. Thread-safe.</summary>
internal sealed class Gallery(StudioModel model)
{
    /// <summary>Number of images, and so the limit of memory: each takes at most about 30 KB.</summary>
    public const int MaxImages = 2000;

    /// <summary>Largest image file.</summary>
    public const int MaxFileBytes = 32 << 20;

    private const int LongestName = 120;

    private readonly Lock _changing = new();
    private volatile State _state = new([], model.NewIndex());
    private int _lastId;

    /// <summary>All images, in the order in which they came.</summary>
    public IReadOnlyList<GalleryImage> Images => _state.Images;

    /// <summary>Adds the images that can be read.</summary>
    /// <param name="files">Names, lengths in bytes, and how to read them.</param>
    /// <param name="cancellationToken">Stops between two images; those that were added stay.</param>
    public AddedImages Add(IEnumerable<(string Name, long Length, Func<byte[]> Read)> files, CancellationToken cancellationToken)
    {
        var (added, refused) = (new List<ImageInfo>(), new List<RefusedImage>());
        foreach (var (name, length, read) in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var shown = Displayed(name);
            try
            {
                added.Add(AddOne(shown, length, read));
            }
            catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
            {
                refused.Add(new(shown, e.Message));
            }
        }
        return new(added, refused);
    }

    /// <summary>Removes all images.</summary>
    public void Clear()
    {
        lock (_changing) _state = new([], model.NewIndex());
    }

    /// <summary>All images, those nearest to a text first.</summary>
    public IReadOnlyList<FoundImage> Search(string text)
    {
        var (images, index) = _state;
        return images.Count == 0 ? [] : [.. index.Search(text, MaxImages).Select(found =>
            new FoundImage(int.Parse(found.Key, CultureInfo.InvariantCulture), found.Score))];
    }

    private ImageInfo AddOne(string name, long length, Func<byte[]> read)
    {
        if (length == 0) throw new InvalidDataException("The file is empty.");
        if (length > MaxFileBytes)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                $"The file has {length:N0} bytes; at most {MaxFileBytes:N0} are accepted."));
        lock (_changing)   // one image at a time is decoded
        {
            var (images, index) = _state;
            if (images.Count == MaxImages)
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                    $"The gallery is full: {MaxImages:N0} images. Remove them first."));
            var (embedding, thumbnail) = model.Read(read());
            var image = new GalleryImage(new(++_lastId, name), embedding, thumbnail);
            model.AddTo(index, image);
            _state = new([.. images, image], index);
            return image.Info;
        }
    }

    /// <summary>The last part of a name that a browser sent, without control characters; it is never used as a path.</summary>
    private static string Displayed(string name)
    {
        var last = name[(name.LastIndexOfAny(['/', '\\']) + 1)..];
        var clean = string.Concat(last.Where(c => !char.IsControl(c) && char.GetUnicodeCategory(c) != UnicodeCategory.Format)).Trim();
        return clean.Length == 0 ? "image" : clean.Length <= LongestName ? clean : clean[..LongestName] + "…";
    }

    private sealed record State(IReadOnlyList<GalleryImage> Images, ClipSearchIndex Index);
}
