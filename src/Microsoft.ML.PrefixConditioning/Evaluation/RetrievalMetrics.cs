namespace Microsoft.ML.PrefixConditioning;

/// <summary>How well queries retrieve what belongs to them, as means over all queries, 0 to 1.</summary>
/// <remarks>
/// Items are ranked by cosine similarity. Items with equal scores count as in random order: a value is the expectation over their orders,
/// so a model that gives every item the same score gets the values of chance (McSherry and Najork, "Computing Information Retrieval
/// Performance Measures Efficiently in the Presence of Tied Scores", 2008).
/// </remarks>
/// <param name="RecallAt1">Fraction of queries with at least one of their items in first place.</param>
/// <param name="RecallAt5">The same for the first 5 places.</param>
/// <param name="RecallAt10">The same for the first 10 places.</param>
/// <param name="MeanAveragePrecision">Mean over queries of the average precision: the mean, over a query's own items, of the precision at
/// the item's place, with all items ranked.</param>
public sealed record RetrievalMetrics(double RecallAt1, double RecallAt5, double RecallAt10, double MeanAveragePrecision);
