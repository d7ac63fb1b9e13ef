using Microsoft.ML.Transforms;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>An estimator that adds a text column with one constant value, made of ML.NET's own parts.</summary>
/// <remarks>
/// ML.NET has no constant column. Its expression transform gives any constant, but needs an input column that is text or a
/// number, which a view of encoded images may lack. So a custom mapping, which needs no input, first adds an empty text column:
/// ML.NET saves the mapping's name and assembly, and finds it again without registration. The value is in the expression, which is saved
/// too.
/// </remarks>
internal static class DatasetTypeTag
{
    internal const string ContractName = "Microsoft.ML.PrefixConditioning.Blank";

    private const string BlankColumn = "__PrefixConditioning.Blank";

    /// <summary>The estimator.</summary>
    public static IEstimator<ITransformer> Create(TransformsCatalog catalog, string datasetType, string outputColumnName)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(datasetType);
        ArgumentException.ThrowIfNullOrWhiteSpace(outputColumnName);
        return catalog.CustomMapping(new BlankFactory().GetMapping(), ContractName)
            .Append(catalog.Expression(outputColumnName, $"(blank) => \"{Escaped(datasetType)}\"", BlankColumn))
            .Append(catalog.DropColumns(BlankColumn));
    }

    private static string Escaped(string text) => NearName.Visible(
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal));

    private sealed class NoInput;

    private sealed class Blank
    {
        [Microsoft.ML.Data.ColumnName(BlankColumn)]
        public string Text { get; set; } = "";
    }

    /// <summary>ML.NET makes one when a saved model is loaded.</summary>
    [CustomMappingFactoryAttribute(ContractName)]
    private sealed class BlankFactory : CustomMappingFactory<NoInput, Blank>
    {
        public override Action<NoInput, Blank> GetMapping() => (_, blank) => blank.Text = "";
    }
}
