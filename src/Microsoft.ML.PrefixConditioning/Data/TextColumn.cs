using System.Collections;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The texts of all rows; each is made when it is read.</summary>
/// <param name="pool">The texts.</param>
/// <param name="numbers">[N] the number of each row's text; equal texts have the same.</param>
internal sealed class TextColumn(TextPool pool, int[] numbers) : IReadOnlyList<string>
{
    /// <summary>[N] the number of each row's text; equal texts have the same.</summary>
    public int[] Numbers => numbers;

    /// <inheritdoc/>
    public int Count => numbers.Length;

    /// <inheritdoc/>
    public string this[int row] => pool.Text(numbers[row]);

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator()
    {
        foreach (var number in numbers) yield return pool.Text(number);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
