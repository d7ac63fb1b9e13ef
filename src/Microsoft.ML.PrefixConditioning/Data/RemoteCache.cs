using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>A folder with the files that were downloaded through a delegate, up to a number of bytes. Thread-safe; several processes can
/// share the folder.</summary>
/// <remarks>
/// Under a name that is made of the address: the complete file; <c>.incomplete</c>, what has arrived of one; <c>.state</c>, length and
/// hash, where somebody asked for them. The state stays when the file is deleted, so that a changed file is noticed when it is downloaded
/// again. Files <c>XX.lock</c> are held by who downloads; XX is how the name begins.
/// </remarks>
internal sealed class RemoteCache
{
    private const string Incomplete = ".incomplete", LockExtension = ".lock", StateExtension = ".state";
    private const int PieceBytes = 64 << 20, BufferBytes = 1 << 17, PollMilliseconds = 50;
    private const int MostReads = 10;
    private const int Attempts = 15, FirstAttempts = 4;   // pauses of 1, 2, 4, ... 60 seconds: ten minutes, and seven seconds
    private const int Reserve = 32;                       // a full folder is emptied by one part of so many more than it must be
    private static readonly TimeSpan UseResolution = TimeSpan.FromMinutes(1);

    private readonly Func<string, long, long, CancellationToken, ValueTask<Stream>> _open;
    private readonly string _folder;
    private readonly long _limit;
    private readonly Lock _gate = new();
    private long _used = -1, _largest, _reserved;   // bytes in the folder (-1 before it was looked at); those of downloads under way
    private volatile bool _hasReceived;

    public RemoteCache(Func<string, long, long, CancellationToken, ValueTask<Stream>> open, string folder, long limit)
    {
        ArgumentNullException.ThrowIfNull(open);
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        (_open, _folder, _limit) = (open, Path.GetFullPath(folder), limit);
        Directory.CreateDirectory(_folder);
    }

    /// <summary>Pause before a failure is repeated for the first time.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Where the file of an address is, or would be: a readable name behind a hash of the address.</summary>
    public string PathOf(string address)
    {
        var name = address[(address.LastIndexOf('/') + 1)..];
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(address)))[..32];
        return Path.Join(_folder, RegularFile.IsName(name) ? $"{hash}-{name}" : hash);
    }

    /// <inheritdoc cref="RemoteFiles.Read"/>
    public T Read<T>(string address, Func<string, T> read, LongPhase? phase, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            var file = new FileInfo(PathOf(address));
            if (!file.Exists) Wait(stop => Download(address, file.FullName, stop), phase, cancellation);
            else if (DateTime.UtcNow - file.LastAccessTimeUtc > UseResolution) Touch(file);
            try
            {
                return read(file.FullName);
            }
            catch (FileNotFoundException) when (attempt < MostReads && !File.Exists(file.FullName))
            {
                // It was deleted for others: the next attempt downloads it again.
            }
        }
    }

    /// <inheritdoc cref="RemoteFiles.State"/>
    public string State(string address, LongPhase? phase, CancellationToken cancellation)
    {
        var path = PathOf(address);
        if (KnownState(path) is { } known) return known;
        return Read(address, file =>
        {
            var state = "";
            Wait(async stop => state = await StateOf(file, stop).ConfigureAwait(false), phase, cancellation);
            AtomicFile.Replace(file + StateExtension, stream => stream.Write(Encoding.ASCII.GetBytes(state)));
            return state;
        }, phase, cancellation);
    }

    private async Task Download(string address, string path, CancellationToken cancellation)
    {
        using (await LockFile.Acquire(LockOf(path), cancellation).ConfigureAwait(false))
        {
            if (File.Exists(path)) return;   // somebody else has downloaded it meanwhile
            var unfinished = path + Incomplete;
            var room = await TakeRoom(unfinished, cancellation).ConfigureAwait(false);
            try
            {
                MakeRoom(unfinished);
                await Transfer.Repeatedly(async () =>
                {
                    await Receive(address, unfinished, cancellation).ConfigureAwait(false);
                    return true;
                }, Passes, () => LengthOf(unfinished), _hasReceived ? Attempts : FirstAttempts, FirstPause, cancellation)
                    .ConfigureAwait(false);
                if (KnownState(path) is { } known && await StateOf(unfinished, cancellation).ConfigureAwait(false) is var found
                    && known != found)
                {
                    File.Delete(unfinished);
                    throw Changed(address, known, found);
                }
                File.Move(unfinished, path, overwrite: true);
            }
            catch (Exception e) when (e is not (OperationCanceledException or FileNotFoundException or InvalidOperationException))
            {
                throw Failure(address, e);
            }
            finally
            {
                Settle(room, path, unfinished);
            }
        }
    }

    /// <summary>Downloads what is missing of a file, in pieces, until one has no bytes: a stream that ends early is no end of a
    /// file.</summary>
    private async Task Receive(string address, string unfinished, CancellationToken cancellation)
    {
        using var file = new FileStream(unfinished, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 1);
        file.Position = file.Length;
        var buffer = new byte[BufferBytes];
        while (true)
        {
            var before = file.Position;
            try
            {
                var content = await _open(address, before, PieceBytes, cancellation).ConfigureAwait(false);
                await using (content.ConfigureAwait(false))
                    for (int count; (count = await Transfer.Read(content, buffer, cancellation).ConfigureAwait(false)) > 0;)
                    {
                        if (file.Position + count > before + PieceBytes)
                            throw new InvalidOperationException($"The delegate that opens {NearName.Quoted(address)} was asked for " +
                                $"{PieceBytes} bytes from byte {before} on, and gives more. Return the bytes that it is asked for only.");
                        if (file.Position + count > _limit)
                            throw new InvalidOperationException($"{NearName.Quoted(address)} has more than {_limit} bytes, which is all " +
                                $"that the cache folder '{_folder}' may hold. Raise maxCacheBytes.");
                        Write(file, buffer.AsSpan(0, count));
                        _hasReceived = true;
                    }
            }
            catch (HttpRequestException e) when (e.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
            {
                // There are no more bytes.
            }
            catch (HttpRequestException e) when (e.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Gone)
            {
                throw new FileNotFoundException($"There is no remote file {NearName.Quoted(address)}: {e.Message}", address, e);
            }
            if (file.Position == before) break;
        }
        file.Flush(flushToDisk: true);
    }

    private void Write(FileStream file, ReadOnlySpan<byte> bytes)
    {
        try
        {
            file.Write(bytes);
        }
        catch (IOException e)
        {
            throw new InvalidOperationException(
                $"The cache folder '{_folder}' cannot be written: {e.Message} Free space there, or mount with another folder.", e);
        }
    }

    /// <summary>Waits until there is room for a file as large as the largest one; the first one is downloaded alone.</summary>
    private async Task<long> TakeRoom(string unfinished, CancellationToken cancellation)
    {
        while (true)
        {
            lock (_gate)
            {
                if (_used < 0) Tidy(long.MaxValue);
                var room = _largest > 0 ? Math.Min(_largest, _limit) : _limit;
                if (_reserved == 0 || _reserved + room <= _limit)
                {
                    _reserved += room;
                    _used -= LengthOf(unfinished);   // what has arrived of it counts with its room
                    return room;
                }
            }
            await Task.Delay(PollMilliseconds, cancellation).ConfigureAwait(false);
        }
    }

    private void MakeRoom(string unfinished)
    {
        lock (_gate)
            if (_largest > 0 && _used + _reserved > _limit) Tidy(_limit - _reserved, unfinished);
    }

    private void Settle(long room, string path, string unfinished)
    {
        lock (_gate)
        {
            _reserved -= room;
            var length = Math.Max(LengthOf(path), LengthOf(unfinished));
            if (length == 0) File.Delete(unfinished);   // of a file that does not exist
            _largest = Math.Max(_largest, LengthOf(path));
            _used += length;
            if (_used + _reserved > _limit) Tidy(_limit - _reserved, path);
        }
    }

    /// <summary>Counts the files, and deletes those not used for longest until the others have at most so many bytes.</summary>
    /// <param name="most">The most bytes to keep.</param>
    /// <param name="kept">A file that is not deleted, and not counted if it is incomplete.</param>
    private void Tidy(long most, string? kept = null)
    {
        var files = new DirectoryInfo(_folder).GetFiles()
            .Where(f => Path.GetExtension(AtomicFile.Final(f.Name)) is not (LockExtension or StateExtension or WebDatasetIndex.Extension))
            .Where(f => f.FullName != kept || f.Extension != Incomplete)
            .Select(f => (Path: f.FullName, Length: LengthOf(f.FullName), Used: f.LastAccessTimeUtc)).ToArray();
        _used = files.Sum(f => f.Length);
        _largest = Math.Max(_largest, files.Where(f => !IsUnfinished(f.Path)).Select(f => f.Length).DefaultIfEmpty().Max());
        if (_used <= most) return;
        foreach (var file in files.OrderBy(f => f.Used))
        {
            if (_used <= most - (_limit / Reserve)) break;
            if (file.Path == kept || IsUnfinished(file.Path) && IsHeld(file.Path)) continue;
            ImageArchiveCache.Close(file.Path);
            File.Delete(file.Path);
            _used -= file.Length;
        }
    }

    private static bool IsUnfinished(string path) => path.EndsWith(Incomplete, StringComparison.Ordinal);

    /// <summary>Whether somebody may be downloading a file; nobody is when its lock can be taken.</summary>
    private bool IsHeld(string path)
    {
        try
        {
            if (File.Exists(LockOf(path))) new FileStream(LockOf(path), FileMode.Open, FileAccess.Write, FileShare.None).Dispose();
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private string LockOf(string path) => Path.Join(_folder, Path.GetFileName(path)[..2] + LockExtension);

    private static bool Passes(Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException or ArgumentException
            or InvalidOperationException or NotSupportedException or NullReferenceException => false,
        HttpRequestException { StatusCode: HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests } => true,
        HttpRequestException { StatusCode: >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError } => false,
        _ => true,
    };

    private static Exception Failure(string address, Exception e) => Passes(e)
        ? new TimeoutException($"{NearName.Quoted(address)} cannot be read for too long: {NearName.Visible(e.Message)} What has arrived " +
            "is kept. Check the connection and the delegate that opens the file, then go on, from the last checkpoint if a model was " +
            "trained.", e)
        : new InvalidOperationException(
            $"The delegate that opens {NearName.Quoted(address)} failed: {NearName.Visible(e.Message)}", e);

    private InvalidOperationException Changed(string address, string known, string found) => new(
        $"{NearName.Quoted(address)} has changed since it was read first: it had the length and hash {known}, now {found}. If that is " +
        $"right, delete the cache folder '{_folder}', and begin a training run anew.");

    private static string? KnownState(string path) =>
        File.Exists(path + StateExtension) ? File.ReadAllText(path + StateExtension) : null;

    private static async Task<string> StateOf(string path, CancellationToken cancellation)
    {
        using var stream = File.OpenRead(path);
        var hash = await SHA256.HashDataAsync(stream, cancellation).ConfigureAwait(false);
        return string.Create(CultureInfo.InvariantCulture, $"{stream.Length} {Convert.ToHexStringLower(hash)}");
    }

    private static long LengthOf(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;

    private static void Touch(FileInfo file)
    {
        try
        {
            file.LastAccessTimeUtc = DateTime.UtcNow;
        }
        catch (IOException)
        {
            // Deleted meanwhile, or a file system without these times: it is deleted sooner.
        }
    }

    /// <summary>Does asynchronous work and watches both ways of being canceled.</summary>
    private static void Wait(Func<CancellationToken, Task> work, LongPhase? phase, CancellationToken cancellation)
    {
        using var stop = new CancellationTokenSource();
        var task = Task.Run(() => work(stop.Token), CancellationToken.None);
        try
        {
            while (!((IAsyncResult)task).AsyncWaitHandle.WaitOne(PollMilliseconds))
            {
                cancellation.ThrowIfCancellationRequested();
                phase?.Advance(0);
            }
        }
        finally
        {
            stop.Cancel();
        }
        task.GetAwaiter().GetResult();
    }
}
