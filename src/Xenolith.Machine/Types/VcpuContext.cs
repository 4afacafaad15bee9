// The part of a vcpu that the entry and exit paths in assembly know.
using System.Runtime.InteropServices;

namespace Xenolith.Machine;

/// <summary>
/// One per vcpu. The processor pushes its interrupt frame straight into <see cref="Registers"/> (TSS.RSP0 points at its end),
/// so switching vcpus copies nothing and the processor's stack never holds guest state.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = AsmOffsets.ContextSize)]
public struct VcpuContext
{
    /// <summary>Stack of the processor this vcpu runs on, loaded once the registers are stored.</summary>
    [FieldOffset(AsmOffsets.ContextStack)] public ulong Stack;

    [FieldOffset(AsmOffsets.ContextRegisters)] public GuestRegisters Registers;

    [FieldOffset(AsmOffsets.ContextXmm)] public KeptVectors Kept;

    /// <summary>1 while the guest is in kernel mode, 0 in user mode (both run at CPL 3).</summary>
    [FieldOffset(AsmOffsets.ContextInKernel)] public byte InKernel;

    /// <summary>1 while the guest has set its CR0.TS: the exit path then sets the processor's.</summary>
    [FieldOffset(AsmOffsets.ContextVirtualTaskSwitched)] public byte VirtualTaskSwitched;

    /// <summary>1 when the syscall callback was registered with "mask events".</summary>
    [FieldOffset(AsmOffsets.ContextSyscallMasksEvents)] public byte SyscallMasksEvents;

    /// <summary>1 when the guest's handler of page faults wants events masked.</summary>
    [FieldOffset(AsmOffsets.ContextPageFaultMasksEvents)] public byte PageFaultMasksEvents;

    /// <summary>Not zero: every return to the guest goes through <c>ReturnToGuest</c> first. Bits: see VcpuWork in the core.</summary>
    [FieldOffset(AsmOffsets.ContextWork)] public uint Work;

    /// <summary>CR3 value for kernel mode.</summary>
    [FieldOffset(AsmOffsets.ContextKernelRoot)] public ulong KernelRoot;

    /// <summary>CR3 value for user mode; 0 = none set.</summary>
    [FieldOffset(AsmOffsets.ContextUserRoot)] public ulong UserRoot;

    /// <summary>Kernel stack pointer for the next bounce from user mode, rounded down to 16; 0 when it may not be used unchecked.</summary>
    [FieldOffset(AsmOffsets.ContextKernelStack)] public ulong KernelStack;

    /// <summary>GS base of kernel mode, valid while in user mode.</summary>
    [FieldOffset(AsmOffsets.ContextKernelGsBase)] public ulong KernelGsBase;

    /// <summary>GS base of user mode, valid while in kernel mode.</summary>
    [FieldOffset(AsmOffsets.ContextUserGsBase)] public ulong UserGsBase;

    /// <summary>Handler of SYSCALL from user mode; 0 = none (then the slow path decides).</summary>
    [FieldOffset(AsmOffsets.ContextSyscallCallback)] public ulong SyscallCallback;

    /// <summary>Hypervisor address of this vcpu's vcpu_info, in the direct map.</summary>
    [FieldOffset(AsmOffsets.ContextVcpuInfo)] public ulong VcpuInfo;

    /// <summary>Guest stack pointer at which the iret hypercall found its frame.</summary>
    [FieldOffset(AsmOffsets.ContextIretStack)] public ulong IretStack;

    /// <summary>Index of this vcpu in the vcpu table.</summary>
    [FieldOffset(AsmOffsets.ContextIndex)] public int Index;

    /// <summary>Handler of page faults from user mode; 0 = none (then the slow path decides).</summary>
    [FieldOffset(AsmOffsets.ContextPageFaultHandler)] public ulong PageFaultHandler;

    /// <summary>What the guest reads as CR2.</summary>
    [FieldOffset(AsmOffsets.ContextCr2)] public ulong Cr2;

    /// <summary>How many page faults the guest's kernel was given.</summary>
    [FieldOffset(AsmOffsets.ContextPageFaults)] public ulong PageFaults;
}
