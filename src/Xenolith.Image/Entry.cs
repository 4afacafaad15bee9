// Where the assembly calls C#.
using System.Runtime;
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Boot;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Image;

/// <summary>
/// The exports that boot.S and entry.S name. SAFETY: the assembly passes pointers to contexts of the vcpu table, or to a frame on the
/// processor's stack; only the index, or a reference for the time of the call, is handed on.
/// </summary>
internal static unsafe class Entry
{
    [RuntimeExport("hypervisor_main")]
    private static void Main(uint magic, ulong information)
    {
        Fatal.SetReporter(&CrashReport.Panic);
        BootSequence.Run(magic, information);
    }

    [RuntimeExport("secondary_main")]
    private static void SecondaryMain() => SecondaryProcessors.Run();

    [RuntimeExport("guest_hypercall")]
    private static VcpuContext* GuestHypercall(VcpuContext* context)
    {
        LockedEntry.GuestHypercall(context->Index);
        return context;
    }

    [RuntimeExport("guest_syscall")]
    private static VcpuContext* GuestSyscall(VcpuContext* context) => Context(LockedEntry.GuestSyscall(context->Index));

    [RuntimeExport("guest_syscall32")]
    private static VcpuContext* GuestSyscall32(VcpuContext* context) => Context(LockedEntry.GuestSyscall32(context->Index));

    [RuntimeExport("guest_bounce_fault")]
    private static VcpuContext* GuestBounceFault(VcpuContext* context) => Context(LockedEntry.GuestBounceFault(context->Index));

    [RuntimeExport("guest_iret")]
    private static VcpuContext* GuestIret(VcpuContext* context) => Context(LockedEntry.GuestIret(context->Index));

    [RuntimeExport("guest_iret_fault")]
    private static VcpuContext* GuestIretFault(VcpuContext* context) => Context(LockedEntry.GuestIretFault(context->Index));

    [RuntimeExport("guest_trap")]
    private static VcpuContext* GuestTrap(VcpuContext* context)
    {
        LockedEntry.GuestTrap(context->Index);
        return context;
    }

    [RuntimeExport("guest_exit_work")]
    private static VcpuContext* GuestExitWork(VcpuContext* context) => Context(LockedEntry.ExitWork(context->Index));

    [RuntimeExport("hypervisor_trap")]
    private static void HypervisorTrap(GuestRegisters* frame) => LockedEntry.HypervisorTrap(ref *frame);

    [RuntimeExport("corelib_panic")]
    private static void CoreLibPanic(int reason) => Fatal.Panic(reason switch
    {
        0 => "index out of range"u8,
        1 => "arithmetic overflow"u8,
        2 => "division by zero"u8,
        3 => "null reference"u8,
        6 => "stack buffer overrun"u8,
        _ => "argument out of range"u8,
    });

    private static VcpuContext* Context(int index) => (VcpuContext*)Unsafe.AsPointer(ref VcpuTable.Context(index));
}
