using System.Runtime.CompilerServices;

// The compiler saw these assemblies with public members (build/PublicizedReferences.targets); this opens them at run time.
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Core")]
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Data")]
[assembly: IgnoresAccessChecksTo("Microsoft.ML.OnnxConverter")]

namespace System.Runtime.CompilerServices;

/// <summary>Lets this assembly use another assembly's internal and private members.</summary>
/// <remarks>The runtime knows the attribute by its name alone, so that every assembly can declare it.</remarks>
/// <param name="assemblyName">Simple name of the other assembly.</param>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
internal sealed class IgnoresAccessChecksToAttribute(string assemblyName) : Attribute
{
    /// <summary>Simple name of the other assembly.</summary>
    public string AssemblyName { get; } = assemblyName;
}
