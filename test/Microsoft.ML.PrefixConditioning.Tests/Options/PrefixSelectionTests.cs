namespace Microsoft.ML.PrefixConditioning.Tests;

[TestClass]
public sealed class PrefixSelectionTests
{
    [TestMethod]
    public void For_OneType_HasTheWholeWeight()
    {
        CollectionAssert.AreEqual(new[] { new PrefixWeight("video", 1) }, PrefixSelection.For("video").Weights.ToArray());
        Assert.AreEqual("video", PrefixSelection.For("video").ToString());
        Assert.AreEqual(PrefixSelection.For("caption"), PrefixSelection.Caption);
    }

    [TestMethod]
    public void None_Weights_AreEmpty()
    {
        Assert.IsEmpty(PrefixSelection.None.Weights);
        Assert.AreEqual("none", PrefixSelection.None.ToString());
        Assert.AreEqual(0, PrefixSelection.None.GetHashCode());
    }

    [TestMethod]
    public void Blend_AnyWeights_AddUpToOneInTheirRatio()
    {
        var blend = PrefixSelection.Blend(("caption", 3), ("classification", 1));
        CollectionAssert.AreEqual(new[] { new PrefixWeight("caption", 0.75), new PrefixWeight("classification", 0.25) },
            blend.Weights.ToArray());
        Assert.AreEqual("0.75 caption + 0.25 classification", blend.ToString());
    }

    [TestMethod]
    public void Blend_LargeWeights_DoNotOverflow()
    {
        var blend = PrefixSelection.Blend(("a", double.MaxValue), ("b", double.MaxValue));
        DataTestRows.Equal<double>([0.5, 0.5], blend.Weights.Select(w => w.Weight).ToArray());
    }

    [TestMethod]
    public void Blend_OwnWeightsAgain_IsEqual()
    {
        for (var seed = 0UL; seed < 200; seed++)
        {
            var random = SeededRandom.Derive(seed, 99);
            var blend = PrefixSelection.Blend(("a", random.NextDouble() + 0.1), ("b", random.NextDouble() + 0.1),
                ("c", random.NextDouble() + 0.1));
            Assert.AreEqual(1, blend.Weights.Sum(w => w.Weight), 1e-12);
            Assert.AreEqual(blend, PrefixSelection.Blend([.. blend.Weights.Select(w => (w.DatasetType, w.Weight))]), $"seed {seed}");
        }
    }

    [TestMethod]
    public void Equals_OtherTypesOrWeights_Differs()
    {
        var blend = PrefixSelection.Blend(("a", 1), ("b", 1));
        Assert.AreEqual(PrefixSelection.Blend(("a", 7), ("b", 7)), blend);
        Assert.AreEqual(PrefixSelection.Blend(("a", 7), ("b", 7)).GetHashCode(), blend.GetHashCode());
        Assert.AreNotEqual(PrefixSelection.Blend(("a", 2), ("b", 1)), blend);
        Assert.AreNotEqual(PrefixSelection.Blend(("a", 1), ("c", 1)), blend);
        Assert.AreNotEqual(PrefixSelection.None, blend);
        Assert.IsFalse(blend.Equals((object?)null));
    }

    [TestMethod]
    public void Blend_NegativeWeight_LeadsAway()
    {
        var blend = PrefixSelection.Blend(("caption", 5), ("classification", -1));
        Assert.AreEqual(new PrefixWeight("caption", 1.25), blend.Weights[0]);
        Assert.AreEqual(new PrefixWeight("classification", -0.25), blend.Weights[1]);
        Assert.AreEqual("1.25 caption - 0.25 classification", blend.ToString());
        Assert.AreEqual("-0.25 classification + 1.25 caption", PrefixSelection.Blend(("classification", -1), ("caption", 5)).ToString());
        Assert.AreEqual(blend, PrefixSelection.Blend([.. blend.Weights.Select(w => (w.DatasetType, w.Weight))]), "As a saved one is read.");
    }

    [TestMethod]
    public void Weights_Cast_CannotBeChanged() => Assert.IsNotInstanceOfType<PrefixWeight[]>(PrefixSelection.Caption.Weights);

    [TestMethod]
    public void Blend_WrongWeights_SaysWhatIsWrong()
    {
        Fails("A blend of prefixes needs at least one dataset type. Pass PrefixSelection.None to use no prefix.", []);
        Fails("A dataset type's name is empty; pass the name of a type that the model was trained on, such as \"caption\".", ("", 1.0));
        Fails("A dataset type's name is empty; pass the name of a type that the model was trained on, such as \"caption\".", (null!, 1.0));
        Fails("The blend names the dataset type 'a' twice; give each type one weight.", ("a", 1.0), ("a", 2.0));
        const string Number = "a weight must be a finite number other than 0. To give a type no share, leave it out.";
        Fails($"The weight of dataset type 'a' is 0; {Number}", ("a", 0.0));
        Fails($"The weight of dataset type 'a' is NaN; {Number}", ("a", double.NaN));
        Fails($"The weight of dataset type 'a' is Infinity; {Number}", ("a", double.PositiveInfinity));
        Fails($"The weight of dataset type 'a' is -Infinity; {Number}", ("a", double.NegativeInfinity));
        const string TooLittle = "the sum must be positive. Combine a negative weight with a larger positive one, such as -0.25 and 1.25.";
        Fails($"The weights of the blend add up to -1.5; {TooLittle}", ("a", -1.5));
        Fails($"The weights of the blend add up to 0; {TooLittle}", ("a", -1.5), ("b", 1.5));
        Fails($"The weights of the blend add up to -0.5; {TooLittle}", ("a", -1.5), ("b", 1));
        Fails("The weight of dataset type 'b' is negligible beside the largest; leave the type out or increase its weight.", ("a", 1e300),
            ("b", 1e-300));
        Assert.ThrowsExactly<ArgumentNullException>(() => PrefixSelection.Blend(null!));
        StringAssert.StartsWith(Assert.ThrowsExactly<ArgumentException>(() => PrefixSelection.For("")).Message,
            "A dataset type's name is empty");
    }

    private static void Fails(string message, params (string, double)[] weights)
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => PrefixSelection.Blend(weights));
        Assert.AreEqual($"{message} (Parameter 'weights')", error.Message);
    }
}
