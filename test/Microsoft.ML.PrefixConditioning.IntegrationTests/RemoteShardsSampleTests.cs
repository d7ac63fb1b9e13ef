using RemoteShards;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>samples/RemoteShards as a process, and its signatures.</summary>
[TestClass]
public sealed class RemoteShardsSampleTests
{
    [TestMethod]
    public void Main_ThreeStoresThatCutConnections_TrainsOnAllSamples()
    {
        using var process = ModelLoadingProcess.Start("RemoteShards");
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.AreEqual(0, process.ExitCode, error.Result);
        StringAssert.Contains(output, "360 samples in 6 shards of 3 stores");
        StringAssert.Contains(output, "trained 11 steps");
        StringAssert.Contains(output, "refused: 0");
    }

    /// <summary>The example "GET Object" of Amazon's documentation of Signature Version 4.</summary>
    [TestMethod]
    public void Authorization_PublishedExample_IsEqual()
    {
        var headers = new Dictionary<string, string>
        {
            ["host"] = "examplebucket.s3.amazonaws.com", ["range"] = "bytes=0-9", ["x-amz-date"] = "20130524T000000Z",
            ["x-amz-content-sha256"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        };
        Assert.AreEqual("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," +
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date," +
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            S3Signature.Authorization("/test.txt", name => headers[name], "AKIAIOSFODNN7EXAMPLE",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"));
    }
}
