using System.Diagnostics;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Programs of the system, and small disks.</summary>
internal static class TestSystem
{
    /// <summary>Runs a program to its end; returns whether it succeeded.</summary>
    public static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    /// <summary>Uses a folder as a disk of 64 KiB; without the rights to mount one, the test is skipped.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="options">Of the mount, such as "ro".</param>
    /// <param name="use">The test.</param>
    public static void OnSmallDisk(string folder, string options, Action use)
    {
        Directory.CreateDirectory(folder);
        if (!Run("mount", "-t", "tmpfs", "-o", $"size=64k,{options}", "tmpfs", folder))
            Assert.Inconclusive("Mounting a small disk needs root.");
        try
        {
            use();
        }
        finally
        {
            Assert.IsTrue(Run("umount", folder));
        }
    }
}
