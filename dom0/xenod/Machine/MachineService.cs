// The machine, as the hypervisor and Domain 0's kernel tell it.
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Hypercalls;

namespace Xenod.Machine;

/// <summary>Asks the hypervisor and looks into Domain 0's files.</summary>
/// <param name="control">The hypervisor.</param>
/// <param name="kernels">Where Domain 0's kernels are.</param>
/// <param name="devices">Where its kernel shows devices.</param>
internal sealed class MachineService(ControlInterface control, string kernels = "/boot", string devices = "/sys") : IMachineService
{
    public MachineView Get() => MachineView.Read(control) with { Kernels = FindKernels() };

    public string ReadLog() => control.Machine.ReadConsole();

    public DeviceCounters Count(ushort domain) => DeviceCounters.Read(devices, domain);

    private List<InstalledKernel> FindKernels()
    {
        const string Name = "vmlinuz-";
        if (!Directory.Exists(kernels))
        {
            return [];
        }

        return [.. new DirectoryInfo(kernels).GetFiles(Name + "*").OrderByDescending(file => file.LastWriteTimeUtc).Select(file =>
        {
            string ramDisk = Path.Combine(kernels, $"initrd.img-{file.Name[Name.Length..]}");
            return new InstalledKernel(file.FullName, File.Exists(ramDisk) ? ramDisk : null);
        })];
    }
}
