using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>An estimator that adds a column with one constant text or number, made of ML.NET's own parts.</summary>
/// <remarks>
/// ML.NET has no constant column. Its expression transform gives any constant, but needs an input column that is text or a
/// number, which a view of encoded images may lack. So a custom mapping, which needs no input, first adds an empty text column:
/// ML.NET saves the mapping's name and assembly, and finds it again without registration. The value is in the expression, which is saved
/// too.
/// </remarks>
internal static class ConstantColumn
{
    internal const string ContractName = "Microsoft.ML.PrefixConditioning.Blank";

    private const string BlankColumn = "__PrefixConditioning.Blank";

    /// <summary>A text column with the dataset type.</summary>
    public static IEstimator<ITransformer> Create(TransformsCatalog catalog, string datasetType, string outputColumnName)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(datasetType);
        return Literal(catalog, $"\"{Escaped(datasetType)}\"", outputColumnName);
    }

    /// <summary>A float column with the weight.</summary>
    public static IEstimator<ITransformer> Create(TransformsCatalog catalog, float weight, string outputColumnName)
    {
        if (!RowWeights.IsValid(weight))
            throw new ArgumentOutOfRangeException(nameof(weight), weight, "A weight is a finite number greater than 0.");
        return Literal(catalog, string.Create(CultureInfo.InvariantCulture, $"{weight:R}f"), outputColumnName);
    }

    private static EstimatorChain<ColumnSelectingTransformer> Literal(
        TransformsCatalog catalog, string literal, string outputColumnName)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(outputColumnName);
        return catalog.CustomMapping(new BlankFactory().GetMapping(), ContractName)
            .Append(catalog.Expression(outputColumnName, $"(blank) => {literal}", BlankColumn))
            .Append(catalog.DropColumns(BlankColumn));
    }

    private static string Escaped(string text) => NearName.Visible(
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal));

    private sealed class NoInput;

    private sealed class Blank
    {
        [ColumnName(BlankColumn)]
        public string Text { get; set; } = "";
    }

    /// <summary>ML.NET makes one when a saved model is loaded.</summary>
    [CustomMappingFactoryAttribute(ContractName)]
    private sealed class BlankFactory : CustomMappingFactory<NoInput, Blank>
    {
        public override Action<NoInput, Blank> GetMapping() => (_, blank) => blank.Text = "";
    }
}
