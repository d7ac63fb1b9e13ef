namespace Samples;

/// <summary>Reports errors that the user can correct, such as a wrong path, by their message alone.</summary>
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
