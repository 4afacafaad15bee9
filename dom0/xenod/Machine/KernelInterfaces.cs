// What Domain 0's kernel has to offer before the daemon can begin.
using System.Diagnostics;

namespace Xenod.Machine;

/// <summary>Loads the kernel's modules for the hypervisor and mounts its file system, where that is not done.</summary>
internal static class KernelInterfaces
{
    private const string FileSystem = "/proc/xen";

    /// <summary>Does what can be done; what is missing after that is named by whoever needs it.</summary>
    internal static void Load()
    {
        foreach ((string path, string module) in ((string, string)[])[("/dev/xen/privcmd", "xen-privcmd"), ("/dev/xen/evtchn", "xen-evtchn"), ("/dev/xen/gntdev", "xen-gntdev")])
        {
            if (!File.Exists(path))
            {
                Run("modprobe", module);
            }
        }

        if (!File.Exists(FileSystem + "/capabilities"))
        {
            Run("modprobe", "xenfs");
            Run("mount", "-t", "xenfs", "xenfs", FileSystem);
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        try
        {
            using Process? process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true });
            process?.WaitForExit();
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // The program is not there: the interface may be there all the same.
        }
    }
}
