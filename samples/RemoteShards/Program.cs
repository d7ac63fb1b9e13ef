using Microsoft.ML;
using Microsoft.ML.PrefixConditioning;
using RemoteShards;

// Trains on shards that lie in three kinds of stores. One server in this process plays all three, so that nothing is needed to try it.
var folder = Directory.CreateTempSubdirectory("remote-shards-").FullName;
try
{
    DrawnShards.Write(Path.Combine(folder, "stored"), shards: 6, samplesPerShard: 60);
    using var server = new LoopbackStores(Path.Combine(folder, "stored"));
    using var stores = new RemoteStores(server.Address);
    var cache = Path.Combine(folder, "cache");

    // 1. Any web server that answers range requests.
    using var web = RemoteFiles.Mount("https://data.example.com/", stores.OpenWeb, cache);
    // 2. Amazon S3 and stores that speak its protocol: requests are signed.
    using var bucket = RemoteFiles.Mount("s3://shards/", stores.OpenS3, cache);
    // 3. Azure Blob Storage with a shared access signature.
    using var container = RemoteFiles.Mount("azure://account/shards/", stores.OpenAzureBlob, cache);

    var mlContext = new MLContext(seed: 1);
    var captioned = mlContext.Data.LoadWebDataset(
        "https://data.example.com/{0..1}.tar::s3://shards/{2..3}.tar::azure://account/shards/{4..5}.tar");
    Console.WriteLine($"{captioned.GetRowCount()} samples in 6 shards of 3 stores");
    var options = new PrefixClipOptions { Architecture = ClipArchitecture.Tiny, Epochs = 1, BatchSize = 32, Seed = 1 };
    using var model = mlContext.Transforms.PrefixClip(options).Fit(captioned);
    Console.WriteLine($"trained {model.History.Steps.Count} steps");
    Console.WriteLine($"requests: {server.Requests}, refused: {server.Refused}");
}
finally
{
    Directory.Delete(folder, recursive: true);
}
