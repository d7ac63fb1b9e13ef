namespace Microsoft.ML.PrefixConditioning;

/// <summary>A node of a graph.</summary>
/// <param name="Operation">The operator.</param>
/// <param name="Name">The node's own name.</param>
/// <param name="Inputs">Names of the values that it takes.</param>
/// <param name="Outputs">Names of the values that it gives.</param>
/// <param name="Attributes">Its settings.</param>
internal sealed record OnnxOperation(string Operation, string Name, string[] Inputs, string[] Outputs, OnnxAttribute[] Attributes)
{
    private const int InputField = 1, OutputField = 2, NameField = 3, OperationField = 4, AttributeField = 5;   // NodeProto

    /// <summary>The node as the format has it.</summary>
    public OnnxMessage ToMessage()
    {
        var node = new OnnxMessage().AddAll(InputField, Inputs).AddAll(OutputField, Outputs)
            .Add(NameField, Name).Add(OperationField, Operation);
        foreach (var attribute in Attributes) node.Add(AttributeField, attribute.Message);
        return node;
    }
}
