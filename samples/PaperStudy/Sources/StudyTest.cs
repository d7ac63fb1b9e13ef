using Microsoft.ML;

namespace PaperStudy;

/// <summary>One split of one test set.</summary>
/// <param name="Test">What the set is.</param>
/// <param name="Split">"validation" or "test".</param>
/// <param name="Images">A view with an image and a label column.</param>
/// <param name="ClassNames">The classes to choose from: those of the split.</param>
/// <param name="Count">Number of images.</param>
internal sealed record StudyTest(TestConfig Test, string Split, IDataView Images, IReadOnlyList<string> ClassNames, int Count);
