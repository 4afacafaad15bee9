// Virtual interrupts.
namespace Xenolith.Abi;

/// <summary>VIRQ numbers (public xen.h, VIRQ_*).</summary>
public enum VirtualIrq
{
    Timer = 0, Debug = 1, Console = 2, DomainException = 3, TraceBuffer = 4, Debugger = 6, Xenoprof = 7, ConsoleRing = 8,
    PcpuState = 9, MemoryEvent = 10, Argo = 11, NoMemory = 12, XenPmu = 13, Mca = 16,

    /// <summary>How many there are.</summary>
    Count = 24,
}
