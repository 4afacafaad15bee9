// The hypervisor's own descriptors: page 14 of every GDT, the task state and the interrupt table.
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>Builds and loads GDT, TSS and IDT of this processor, and the MSRs through which SYSCALL enters.</summary>
public static unsafe class Descriptors
{
    private const ulong VirtualBase = 0xFFFF_82D0_8000_0000;
    private const int ReservedSelector = 0xE000;
    private const ushort GdtLimit = 0xEFFF;
    private const ushort TaskSelector = 0xE040;
    private const ushort LdtSelector = 0xE050;

    /// <summary>Flags that SYSCALL clears: TF, IF, DF, IOPL, NT, RF, VM, AC.</summary>
    private const ulong SyscallFlagMask = 0x77700;

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "interrupt_table")] private static extern void InterruptTableSymbol();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "trap_stub_table")] private static extern void StubTableSymbol();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "syscall_entry")] private static extern void SyscallEntry();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "syscall32_entry")] private static extern void Syscall32Entry();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "machine_has_fsgsbase")] private static extern void FsGsBaseFlagSymbol();

    // SAFETY (all of the class): the block of this processor and the tables of the image have room for exactly what is written here.
    private static byte* Page => ProcessorBlock.DescriptorPage;

    private static byte* Task => ProcessorBlock.TaskState;

    /// <summary>Stack pointer for C# on this processor.</summary>
    public static ulong StackTop => ProcessorBlock.StackTop;

    /// <summary>Frame of this processor's descriptor page.</summary>
    internal static Mfn Frame => ProcessorBlock.DescriptorFrame;

    /// <summary>Builds and loads everything on the first processor; afterwards traps of the hypervisor itself are reported.</summary>
    public static void Initialize()
    {
        *(bool*)(delegate*<void>)&FsGsBaseFlagSymbol = CpuFeatures.HasFsGsBase;
        BuildInterruptTable();
        InitializeSecondary();
    }

    /// <summary>The same for a further processor, which shares the interrupt table.</summary>
    internal static void InitializeSecondary()
    {
        BuildDescriptorPage();
        BuildTaskState();
        Native.LoadGdt(GdtLimit, (ulong)Page - ReservedSelector);
        Native.LoadOwnSegments();
        Native.LoadTask(TaskSelector);
        Native.LoadIdt(4095, (ulong)(delegate*<void>)&InterruptTableSymbol);
        Msrs.Write(Msr.Star, ((ulong)AsmOffsets.FlatCode32 << 48) | ((ulong)AsmOffsets.HypervisorCode << 32));
        Msrs.Write(Msr.Lstar, (ulong)(delegate*<void>)&SyscallEntry);
        Msrs.Write(Msr.Cstar, (ulong)(delegate*<void>)&Syscall32Entry);
        Msrs.Write(Msr.SyscallMask, SyscallFlagMask);
        Msrs.Write(Msr.KernelGsBase, (ulong)ProcessorBlock.EntryArea);
        if (CpuFeatures.IsIntel)
        {
            Msrs.Write(Msr.SysenterCs, 0);
        }
    }

    /// <summary>Makes a vcpu the one whose context the entry path fills on this processor, and loads its GDT.</summary>
    public static void SetCurrent(ref VcpuContext context)
    {
        ulong frameEnd = (ulong)Unsafe.AsPointer(ref context) + AsmOffsets.ContextFrameEnd;
        context.Stack = StackTop;
        ProcessorBlock.EntryArea[0] = frameEnd;
        *(ulong*)(Task + 4) = frameEnd;
        DescriptorWindow.SetOwnPage(context.Index);
        Native.LoadGdt(GdtLimit, DescriptorWindow.GdtAddress(context.Index));
    }

    /// <summary>Loads an LDT of 0 to 8192 entries from the vcpu's window.</summary>
    public static void LoadLdt(int vcpuIndex, int entries)
    {
        if (entries <= 0 || entries > 8192)
        {
            Native.LoadLdt(0);
            return;
        }

        WriteSystemDescriptor(LdtSelector, DescriptorWindow.LdtAddress(vcpuIndex), (uint)(entries * 8) - 1, 0x82);
        Native.LoadLdt(LdtSelector);
    }

    private static void BuildDescriptorPage()
    {
        ulong* entries = (ulong*)Page;
        entries[(0xE008 - ReservedSelector) / 8] = 0x00AF_9B00_0000_FFFF;
        entries[(0xE010 - ReservedSelector) / 8] = 0x00CF_9300_0000_FFFF;
        entries[(0xE020 - ReservedSelector) / 8] = 0x00CF_FB00_0000_FFFF;
        entries[(0xE028 - ReservedSelector) / 8] = 0x00CF_F300_0000_FFFF;
        entries[(0xE030 - ReservedSelector) / 8] = 0x00AF_FB00_0000_FFFF;
        WriteSystemDescriptor(TaskSelector, (ulong)Task, 103, 0x89);
    }

    private static void WriteSystemDescriptor(ushort selector, ulong address, uint limit, ulong type)
    {
        ulong* entry = (ulong*)(Page + (selector - ReservedSelector));
        entry[0] = (limit & 0xFFFF) | ((address & 0xFF_FFFF) << 16) | (type << 40) | ((ulong)(limit & 0xF_0000) << 32) | ((address & 0xFF00_0000) << 32);
        entry[1] = address >> 32;
    }

    private static void BuildTaskState()
    {
        // Stacks of their own for #DF, NMI, #MC and #DB: the lowest pages of the processor's stack.
        *(ulong*)(Task + 4) = StackTop;
        for (int i = 1; i <= 4; i++)
        {
            *(ulong*)(Task + 28 + (i * 8)) = ProcessorBlock.Start + ((ulong)i * 4096);
        }

        *(ushort*)(Task + 102) = 104;
    }

    private static void BuildInterruptTable()
    {
        ulong* table = (ulong*)(delegate*<void>)&InterruptTableSymbol;
        ulong* stubs = (ulong*)(delegate*<void>)&StubTableSymbol;
        for (int vector = 0; vector < 256; vector++)
        {
            ulong stack = vector switch { 8 => 1, 2 => 2, 18 => 3, 1 => 4, _ => 0 };
            ulong privilege = vector is 3 or 4 ? 3UL : 0;
            ulong handler = stubs[vector];
            table[vector * 2] = (handler & 0xFFFF) | ((ulong)AsmOffsets.HypervisorCode << 16) | (stack << 32)
                | ((0x8E00UL | (privilege << 13)) << 32) | ((handler & 0xFFFF_0000) << 32);
            table[(vector * 2) + 1] = handler >> 32;
        }
    }
}
