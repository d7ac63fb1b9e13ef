namespace Studio;

/// <summary>An image on the map.</summary>
/// <param name="Id">The image.</param>
/// <param name="X">Its embedding on the first principal component.</param>
/// <param name="Y">Its embedding on the second.</param>
internal sealed record MapPoint(int Id, float X, float Y);
