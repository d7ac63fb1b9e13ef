using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.PrefixConditioning.Tests;

/// <summary>Two network namespaces, joined by a link as two machines are. A namespace has its address as its name.</summary>
internal sealed class LinkedNetworks : IDisposable
{
    private const string Link = "wire";

    private readonly string _first, _second, _agent;

    /// <summary>Creates the namespaces. Where that is not allowed, the test is skipped.</summary>
    /// <param name="agent">File for the program by which MPI's launchers start processes in a namespace.</param>
    public LinkedNetworks(string agent)
    {
        var subnet = string.Create(CultureInfo.InvariantCulture, $"10.{Environment.ProcessId >> 8 & 255}.{Environment.ProcessId & 255}");
        (_first, _second, _agent) = ($"{subnet}.1", $"{subnet}.2", agent);
        if (!OperatingSystem.IsLinux() || !TryIp("netns", "add", _first) || !TryIp("netns", "add", _second))
        {
            Assert.Inconclusive("Network namespaces need Linux, root and the package iproute2.");
            return;
        }
        Ip("link", "add", Link, "netns", _first, "type", "veth", "peer", "name", Link, "netns", _second);
        foreach (var network in new[] { _first, _second })
        {
            Ip("-n", network, "addr", "add", $"{network}/24", "dev", Link);
            Ip("-n", network, "link", "set", "lo", "up");
            Ip("-n", network, "link", "set", Link, "up");
        }
        // The kernel announces a link a moment after it is up; MPI looks for networks only when it starts.
        foreach (var network in new[] { _first, _second })
            Assert.IsTrue(SpinWait.SpinUntil(
                () => TryIp("netns", "exec", network, "grep", "-q", "up", $"/sys/class/net/{Link}/operstate"), TimeSpan.FromSeconds(10)));
        File.WriteAllText(agent, "#!/bin/sh\nwhile [ \"$1\" = -x ]; do shift; done\nhost=$1; shift\n" +
            "exec ip netns exec \"$host\" sh -c \"$*\"\n");
        File.SetUnixFileMode(agent, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    /// <summary>Settings that keep Open MPI and MPICH from using shared memory between the namespaces, and let Open MPI's launcher notice
    /// within 6 seconds, instead of minutes, that the other namespace cannot be reached.</summary>
    public static IEnumerable<(string Name, string Value)> OverTcp =>
    [
        ("OMPI_MCA_pml", "ob1"), ("OMPI_MCA_btl", "tcp,self"), ("UCX_TLS", "tcp,self"),
        ("OMPI_MCA_oob_tcp_keepalive_time", "3"), ("OMPI_MCA_oob_tcp_keepalive_intvl", "1"), ("OMPI_MCA_oob_tcp_keepalive_probes", "3"),
    ];

    /// <summary>The command that runs another in the first namespace.</summary>
    public string[] Enter => ["ip", "netns", "exec", _first];

    /// <summary>Arguments of a launcher that starts ranks in both namespaces.</summary>
    public string[] Spread(string launcher) => launcher == "mpirun.openmpi"
        ? ["--host", $"{_first},{_second}", "--mca", "plm_rsh_agent", _agent]
        : ["-hosts", $"{_first},{_second}", "-launcher", "ssh", "-launcher-exec", _agent];

    /// <summary>Takes the link down.</summary>
    public void Cut() => Ip("-n", _first, "link", "set", Link, "down");

    public void Dispose()
    {
        TryIp("netns", "delete", _first);
        TryIp("netns", "delete", _second);
    }

    private static void Ip(params string[] arguments) => Assert.IsTrue(TryIp(arguments), string.Join(' ', arguments));

    private static bool TryIp(params string[] arguments)
    {
        try
        {
            using var ip = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true })!;
            ip.WaitForExit();
            return ip.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;   // not installed
        }
    }
}
