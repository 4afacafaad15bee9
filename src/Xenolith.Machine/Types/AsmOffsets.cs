// Offsets that the assembly shares with C#: the build turns each constant into an assembler symbol, so no number is typed twice.
namespace Xenolith.Machine;

/// <summary>Byte offsets within <see cref="VcpuContext"/> and the per-processor entry area.</summary>
public static class AsmOffsets
{
    public const int ContextStack = 0x000;
    public const int ContextRegisters = 0x008;
    public const int ContextErrorCode = 0x080;
    public const int ContextRip = 0x088;
    public const int ContextCs = 0x090;
    public const int ContextRflags = 0x098;
    public const int ContextRsp = 0x0A0;
    public const int ContextSs = 0x0A8;
    public const int ContextFrameEnd = 0x0B0;
    public const int ContextXmm = 0x0B0;
    public const int ContextInKernel = 0x100;
    public const int ContextVirtualTaskSwitched = 0x101;
    public const int ContextSyscallMasksEvents = 0x102;
    public const int ContextPageFaultMasksEvents = 0x103;
    public const int ContextWork = 0x104;
    public const int ContextKernelRoot = 0x108;
    public const int ContextUserRoot = 0x110;
    public const int ContextKernelStack = 0x118;
    public const int ContextKernelGsBase = 0x120;
    public const int ContextUserGsBase = 0x128;
    public const int ContextSyscallCallback = 0x130;
    public const int ContextVcpuInfo = 0x138;
    public const int ContextIretStack = 0x140;
    public const int ContextIndex = 0x148;
    public const int ContextPageFaultHandler = 0x150;
    public const int ContextCr2 = 0x158;

    /// <summary>Registers that the quick paths in assembly set aside; of no meaning outside of them.</summary>
    public const int ContextSavedRax = 0x160;
    public const int ContextSavedRcx = 0x168;
    public const int ContextSavedRdx = 0x170;
    public const int ContextPageFaults = 0x178;
    public const int ContextSize = 0x180;
    public const int EntryAreaFrameEnd = 0;
    public const int EntryAreaScratch = 8;
    public const int ProcessorStackBytes = 32768;
    public const int SyscallVector = 0x100;
    public const int PageFaultVector = 14;
    public const int HypercallIret = 23;
    public const int FlatCode64 = 0xE033;
    public const int FlatCode32 = 0xE023;
    public const int FlatStack = 0xE02B;
    public const int HypervisorCode = 0xE008;
    public const int HypervisorData = 0xE010;
}
