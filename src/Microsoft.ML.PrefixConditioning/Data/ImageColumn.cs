using System.Collections;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The images of all rows. Locators lie in a pool; each is put together when it is read.</summary>
/// <param name="locators">Packs and unpacks locators.</param>
/// <param name="numbers">[N] the number of each row's image; rows with equal locators have the same.</param>
/// <param name="inMemory">Images without a locator; the first has the number -1, and so on downward.</param>
internal sealed class ImageColumn(LocatorPool locators, int[] numbers, IReadOnlyList<ImageReference> inMemory)
    : IReadOnlyList<ImageReference>
{
    /// <summary>[N] the number of each row's image; rows with equal locators have the same.</summary>
    public int[] Numbers => numbers;

    /// <inheritdoc/>
    public int Count => numbers.Length;

    /// <inheritdoc/>
    public ImageReference this[int row] => numbers[row] is >= 0 and var number
        ? ImageReference.FromLocator(locators.Locator(number)) : inMemory[-1 - numbers[row]];

    /// <summary>[N] a number for the file of each row's image, from 0: its archive or container, or the folder of an image in a file of its
    /// own. Images in memory are in one file together.</summary>
    public int[] Files()
    {
        var (byPrefix, byName) = (new Dictionary<int, int>(), new Dictionary<string, int>(StringComparer.Ordinal));
        return Array.ConvertAll(numbers, number =>
        {
            var prefix = number < 0 ? -1 : locators.PrefixOf(number);
            if (byPrefix.TryGetValue(prefix, out var file)) return file;
            var name = prefix < 0 ? "" : ImageLocator.FileOf(locators.Prefix(prefix), out _);
            if (!byName.TryGetValue(name, out file)) byName[name] = file = byName.Count;
            return byPrefix[prefix] = file;
        });
    }

    /// <inheritdoc/>
    public IEnumerator<ImageReference> GetEnumerator()
    {
        for (var row = 0; row < Count; row++) yield return this[row];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
