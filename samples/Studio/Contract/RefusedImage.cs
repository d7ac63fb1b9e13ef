namespace Studio;

/// <summary>A file that was not added.</summary>
/// <param name="Name">Name of the file.</param>
/// <param name="Reason">Why, in one sentence.</param>
internal sealed record RefusedImage(string Name, string Reason);
