// The processor that the fake instructions of Native.cs work on.
using System.Collections.Generic;

namespace Xenolith.Machine;

/// <summary>
/// Registers, MSRs, ports and counters of the fake processors. A test sets and reads them; <see cref="FakeMachine.Reset"/> clears them.
/// What the hypervisor keeps apart for each processor is so here too: each thread is the processor whose <see cref="Index"/> it sets.
/// </summary>
public static class FakeCpu
{
    private static readonly ProcessorRegisters[] s_processors = new ProcessorRegisters[ProcessorBlock.Capacity];

    [ThreadStatic]
    private static int s_index;

    /// <summary>Answers of CPUID by (leaf, subleaf); a leaf without an answer is all zero.</summary>
    public static Dictionary<(uint Leaf, uint Subleaf), CpuIdResult> CpuIdLeaves { get; } = [];

    /// <summary>The MSRs that exist; access to any other is refused as by #GP.</summary>
    public static Dictionary<uint, ulong> Msrs { get; } = [];

    /// <summary>Selectors that do not load, as if the descriptor were missing or wrong.</summary>
    public static HashSet<ushort> RefusedSelectors { get; } = [];

    /// <summary>DS, ES, FS, GS.</summary>
    public static ushort[] Selectors => Own.Selectors ??= new ushort[4];

    /// <summary>DR0 to DR7.</summary>
    public static ulong[] DebugRegisters { get; } = new ulong[8];

    /// <summary>Addresses that INVLPG named, in order.</summary>
    public static List<ulong> InvalidatedPages { get; } = [];

    /// <summary>Answers a port read of 1, 2 or 4 bytes; an unplugged port reads as all ones.</summary>
    public static Func<ushort, int, uint> PortRead { get; set; } = UnpluggedPort;

    /// <summary>Takes a port write of 1, 2 or 4 bytes.</summary>
    public static Action<ushort, int, uint> PortWrite { get; set; } = IgnorePort;

    /// <summary>Answers a device register read of 4 or 8 bytes.</summary>
    public static Func<ulong, int, ulong> DeviceRead { get; set; } = UnpluggedDevice;

    /// <summary>Takes a device register write of 4 or 8 bytes.</summary>
    public static Action<ulong, int, ulong> DeviceWrite { get; set; } = IgnoreDevice;

    /// <summary>What an idle processor meets: called for each halt with interrupts on. Without one a halt is a test failure, not a hang.</summary>
    public static Action? OnHalt { get; set; }

    public static ulong Cr0 { get; set; }

    public static ulong Cr2
    {
        get => Own.Cr2;
        set => Own.Cr2 = value;
    }

    public static ulong Cr3
    {
        get => Own.Cr3;
        set => Own.Cr3 = value;
    }

    public static ulong Cr4 { get; set; }

    public static ulong Xcr0 { get; set; }

    public static ulong FsBase
    {
        get => Own.FsBase;
        set => Own.FsBase = value;
    }

    public static ulong GsBase
    {
        get => Own.GsBase;
        set => Own.GsBase = value;
    }

    /// <summary>The time stamp counter; each read adds <see cref="TscStep"/>, so that time passes and tests repeat exactly.</summary>
    public static ulong Tsc { get; set; }

    public static ulong TscStep { get; set; }

    /// <summary>Called at each read of the time stamp counter.</summary>
    public static Action? OnTscRead { get; set; }

    /// <summary>CR3 loads since the reset.</summary>
    public static int RootLoads { get; internal set; }

    public static int CacheFlushes { get; internal set; }

    public static ushort LoadedLdt { get; internal set; }

    public static ulong LoadedGdt { get; internal set; }

    /// <summary>Which processor the calling thread is.</summary>
    public static int Index
    {
        get => s_index;
        set => s_index = value;
    }

    /// <summary>Vcpu index and entries of the last <c>Descriptors.LoadLdt</c>, and the context the entry path would fill.</summary>
    public static (int Vcpu, int Entries) LoadedLdtWindow { get; internal set; }

    public static int CurrentContext
    {
        get => Own.CurrentContext;
        internal set => Own.CurrentContext = value;
    }

    private static ref ProcessorRegisters Own => ref s_processors[s_index];

    internal static void Reset()
    {
        Index = 0;
        Array.Clear(s_processors);
        CpuIdLeaves.Clear();
        Msrs.Clear();
        RefusedSelectors.Clear();
        InvalidatedPages.Clear();
        Array.Clear(DebugRegisters);
        PortRead = UnpluggedPort;
        PortWrite = IgnorePort;
        DeviceRead = UnpluggedDevice;
        DeviceWrite = IgnoreDevice;
        OnHalt = null;
        OnTscRead = null;
        Cr0 = Cr0Bits.Paging | Cr0Bits.WriteProtect | Cr0Bits.ProtectionEnable | Cr0Bits.NumericError;
        Cr4 = Cr4Bits.PhysicalAddressExtension | Cr4Bits.OsFxsr | Cr4Bits.OsXmmExcept;
        Xcr0 = 1;
        Tsc = 1_000_000;
        TscStep = 1;
        RootLoads = 0;
        CacheFlushes = 0;
        LoadedLdt = 0;
        LoadedGdt = 0;
        LoadedLdtWindow = default;
        CurrentContext = -1;
        DescribeProcessor();
    }

    /// <summary>A plain Intel-like processor: NX, XSAVE with x87, SSE and AVX, SMEP, SMAP, FSGSBASE; no x2APIC, no TCG.</summary>
    private static void DescribeProcessor()
    {
        CpuIdLeaves[(0, 0)] = new CpuIdResult { Eax = 0xD, Ebx = 0x756E_6547, Edx = 0x4965_6E69, Ecx = 0x6C65_746E };
        CpuIdLeaves[(1, 0)] = new CpuIdResult { Eax = 0x000306A9, Ecx = 0xF79A_2203, Edx = 0x1F8B_FBFF };
        CpuIdLeaves[(7, 0)] = new CpuIdResult { Ebx = 0x0018_0081 };
        CpuIdLeaves[(0xD, 0)] = new CpuIdResult { Eax = 7, Ebx = 832, Ecx = 832 };
        CpuIdLeaves[(0xD, 1)] = new CpuIdResult { Eax = 1 };
        CpuIdLeaves[(0x8000_0000, 0)] = new CpuIdResult { Eax = 0x8000_0008 };
        CpuIdLeaves[(0x8000_0001, 0)] = new CpuIdResult { Ecx = 0x21, Edx = 0x2C10_0800 };
        CpuIdLeaves[(0x8000_0007, 0)] = new CpuIdResult { Edx = 0x100 };
        CpuIdLeaves[(0x8000_0008, 0)] = new CpuIdResult { Eax = 0x3028 };
        Msr[] known =
        [
            Msr.ApicBase, Msr.SysenterCs, Msr.SysenterEsp, Msr.SysenterEip, Msr.Pat, Msr.Efer, Msr.Star, Msr.Lstar, Msr.Cstar, Msr.SyscallMask,
            Msr.FsBase, Msr.GsBase, Msr.KernelGsBase, Msr.TscAux, Msr.TimeStampCounter, Msr.McgCap, Msr.McgStatus, Msr.MiscEnable, Msr.PlatformId,
        ];
        foreach (Msr msr in known)
        {
            Msrs[(uint)msr] = 0;
        }

        Msrs[(uint)Msr.Pat] = 0x0007_0406_0007_0406;
        Msrs[(uint)Msr.Efer] = 0xD01;
        Msrs[(uint)Msr.ApicBase] = 0xFEE0_0900;
    }

    private static uint UnpluggedPort(ushort port, int bytes) => uint.MaxValue;

    private static void IgnorePort(ushort port, int bytes, uint value)
    {
    }

    private static ulong UnpluggedDevice(ulong address, int bytes) => ulong.MaxValue;

    private static void IgnoreDevice(ulong address, int bytes, ulong value)
    {
    }

    private struct ProcessorRegisters
    {
        internal ulong Cr2;
        internal ulong Cr3;
        internal ulong FsBase;
        internal ulong GsBase;
        internal ushort[]? Selectors;
        internal int CurrentContext;
    }
}
