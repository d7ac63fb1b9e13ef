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

    /// <inheritdoc/>
    public IEnumerator<ImageReference> GetEnumerator()
    {
        for (var row = 0; row < Count; row++) yield return this[row];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
