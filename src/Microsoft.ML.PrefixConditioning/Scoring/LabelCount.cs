using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Counts the labels of one pass over a view, and those that are not class names. Used by one thread at a time.</summary>
/// <param name="log">ML.NET's log.</param>
/// <param name="classes">The classes.</param>
/// <param name="columnName">The column that labels are read from.</param>
/// <param name="said">The counts in the view's last warning, shared by all of its passes; a trainer makes thousands.</param>
internal sealed class LabelCount(
    IChannelProvider log, ClassKeys classes, string columnName, StrongBox<(long Unmatched, long Labels)> said)
{
    private long _last = -1, _labels, _unmatched, _exampleRow;
    private string _example = "";

    /// <summary>The key of the class that a row's label names; 0, a missing key, if there is none.</summary>
    /// <param name="label">The label; white space counts as missing.</param>
    /// <param name="position">The row, from 0. A row that is read again counts once.</param>
    public uint Find(ReadOnlySpan<char> label, long position)
    {
        if (label.IsWhiteSpace()) return 0;
        var key = classes.Find(label);
        if (position <= _last) return key;
        _last = position;
        _labels++;
        if (key > 0) return key;
        if (_unmatched++ == 0) (_example, _exampleRow) = (label.ToString(), position + 1);
        return 0;
    }

    /// <summary>Ends a pass that has seen all rows.</summary>
    /// <exception cref="InvalidDataException">There are labels, and none of them names a class.</exception>
    public void EndOfRows()
    {
        if (_labels == 0 || _unmatched < _labels) return;
        _unmatched = 0;   // said once
        throw new InvalidDataException(
            string.Create(CultureInfo.InvariantCulture,
                $"None of the {_labels} labels in column '{columnName}' matches a class name. {Example()} ") +
            $"The class names are {NearName.List(classes.Names)}. Correct the labels or the class names, or set " +
            $"{nameof(ZeroShotClassificationOptions.LabelColumnName)} to the column with the true classes.");
    }

    /// <summary>Warns about labels that are not class names, however the pass ended, unless an earlier pass has given the same
    /// warning.</summary>
    public void Warn()
    {
        if (_unmatched > 0 && said.Value != (_unmatched, _labels))
        {
            said.Value = (_unmatched, _labels);
            using var channel = log.Start("Matching labels");
            channel.Warning(MessageSensitivity.UserData, "{0}", string.Create(CultureInfo.InvariantCulture,
                $"{_unmatched} of {_labels} labels in column '{columnName}' match no class name; they become missing, and Evaluate ") +
                $"leaves these rows out. {Example()} Correct the labels or the class names.");
        }
        _unmatched = 0;   // the pass has ended
    }

    private string Example() => $"{RowBatchReader.RowName(_exampleRow)} has {NearName.Quoted(_example)}." +
        NearName.Question(_example, classes.Names);
}
