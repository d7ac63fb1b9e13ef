namespace Samples;

/// <summary>Wrong paths and unusable data are the user's to mend: the message alone says how.</summary>
internal static class UserErrors
{
    /// <summary>Runs a sample.</summary>
    /// <returns>The exit code.</returns>
    public static int Report(Action run)
    {
        try
        {
            run();
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or InvalidDataException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
    }
}
