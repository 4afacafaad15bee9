// A machine that only the HTTP interface's tests see.
using Xenod.Machine;
using Xenolith.Toolstack.Daemon;

namespace Xenolith.Toolstack.Tests.Http;

/// <summary>Always the same machine.</summary>
internal sealed class FakeMachine : IMachineService
{
    public MachineView Get() => new(
        "4.17.7-xenolith", "abc", ["xen-3.0-x86_64"], "console=com1", "credit2", 2, 2400, 1_048_576, 524_288, 0, false, 2, [new InstalledKernel("/boot/vmlinuz-6", "/boot/initrd.img-6")]);

    public string ReadLog() => "[boot] hello\n";

    public DeviceCounters Count(ushort domain) => new([new DiskCounters("51712", 10, 40960, 5, 20480)], [new InterfaceCounters("0", 1000, 10, 2000, 20, 1, [new InterfaceRing(0, 3, 250)])]);
}
