// cpuid: the forced instruction, the hypervisor's leaves, and what a PV guest must not be shown.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class CpuidProgram
{
    private const ulong Base = 0x4000_0000;
    private static ProbeRegisters s_registers;

    [RuntimeExport("guest_cpuid")]
    private static void Main()
    {
        // The kernel's first instructions need it before any handler is there.
        Query(Base);
        Events.Start();
        Traps.Start();
        Hypervisor();
        Features();
        Forced();
    }

    private static void Query(ulong leaf, ulong subleaf = 0)
    {
        s_registers = new ProbeRegisters { Rax = leaf | 0x5555_0000_0000_0000, Rcx = subleaf | 0x5555_0000_0000_0000, Rbx = ~0UL, Rdx = ~0UL };
        Traps.Try([0x0F, 0x0B, 0x78, 0x65, 0x6E, 0x0F, 0xA2], ref s_registers);
    }

    private static void Hypervisor()
    {
        Query(Base);
        Report.Same(s_registers.Rbx, 0x566E_6558, "the signature"u8);
        Report.Same(s_registers.Rcx, 0x6558_4D4D, "the signature"u8);
        Report.Same(s_registers.Rdx, 0x4D4D_566E, "the signature"u8);
        Report.Check(s_registers.Rax is >= Base + 2 and < Base + 0x100, "the highest leaf"u8);
        Query(Base + 1);
        Report.Same(s_registers.Rax, 0x4_0011, "the version"u8);
        Query(Base + 2);
        Report.Same(s_registers.Rax, 1, "one hypercall page"u8);
        Report.Same(s_registers.Rbx, Base, "the register that asks for it"u8);
        Report.Same(s_registers.Rcx & 1, 1, "page-table updates that preserve A and D"u8);
        Clock();
        Query(Base + 5);
        Report.Check((s_registers.Rbx & 0xFF) is >= 30 and <= 52, "the width of machine addresses"u8);
        Query(Base + 0x100);
        Report.Same(s_registers.Rax | s_registers.Rbx | s_registers.Rcx | s_registers.Rdx, 0, "the next base"u8);
        Query(Base + 0xFF);
        Report.Same(s_registers.Rax | s_registers.Rbx | s_registers.Rcx | s_registers.Rdx, 0, "a leaf of no meaning"u8);
    }

    private static void Clock()
    {
        Query(Base + 3);
        Absent(s_registers.Rax, 0, "RDTSC that traps"u8);
        Query(0x8000_0007);
        Report.Same((s_registers.Rdx >> 8) & 1, ((VcpuTimeInfo*)(Memory.Shared + 0x20))->Flags & 1u, "CPUID and the clock agree on whether the TSC is stable"u8);
    }

    private static void Absent(ulong register, int bit, ReadOnlySpan<byte> what) => Report.Same((register >> bit) & 1, 0, what);

    private static void Present(ulong register, int bit, ReadOnlySpan<byte> what) => Report.Same((register >> bit) & 1, 1, what);

    private static void Features()
    {
        Query(0);
        Report.Check(s_registers.Rax is >= 1 and <= 0x20, "the highest basic leaf"u8);
        ulong highest = s_registers.Rax;
        Query(1);
        Present(s_registers.Rcx, 31, "a hypervisor is there"u8);
        Present(s_registers.Rdx, 0, "FPU"u8);
        Present(s_registers.Rdx, 4, "TSC"u8);
        Present(s_registers.Rdx, 6, "PAE"u8);
        Absent(s_registers.Rdx, 1, "VME"u8);
        Absent(s_registers.Rdx, 3, "PSE"u8);
        Absent(s_registers.Rdx, 13, "PGE"u8);
        Absent(s_registers.Rdx, 17, "PSE36"u8);
        Absent(s_registers.Rcx, 5, "VMX"u8);
        Absent(s_registers.Rcx, 17, "PCID"u8);
        Absent(s_registers.Rcx, 21, "X2APIC"u8);
        Absent(s_registers.Rcx, 24, "the TSC deadline"u8);
        Absent(s_registers.Rcx, 3, "MONITOR"u8);
        Report.Same((s_registers.Rcx >> 26) & 1, (s_registers.Rcx >> 27) & 1, "XSAVE and OSXSAVE go together"u8);
        if (highest >= 7)
        {
            Query(7);
            Absent(s_registers.Rbx, 7, "SMEP"u8);
            Absent(s_registers.Rbx, 20, "SMAP"u8);
            Absent(s_registers.Rbx, 10, "INVPCID"u8);
            Absent(s_registers.Rcx, 3, "PKU"u8);
            Absent(s_registers.Rcx, 16, "LA57"u8);
            Absent(s_registers.Rcx, 2, "UMIP"u8);
        }

        Query(0x8000_0001);
        Present(s_registers.Rdx, 29, "long mode"u8);
        Present(s_registers.Rdx, 20, "NX"u8);
        Present(s_registers.Rdx, 11, "SYSCALL"u8);
        Absent(s_registers.Rdx, 26, "pages of 1 GiB"u8);
        Absent(s_registers.Rcx, 2, "SVM"u8);
        Query(0xD, 1);
        Absent(s_registers.Rax, 3, "XSAVES"u8);
    }

    private static void Forced()
    {
        ProbeRegisters registers = new() { Rax = Base };
        Report.Same(Traps.Try([0x0F, 0x0B, 0x78, 0x65, 0x6E, 0x0F, 0xA3], ref registers), 6, "the prefix before another instruction"u8);
        Report.Same(Traps.Last.Rip, (ulong)Memory.CodePage, "its address"u8);
        Report.Same(Traps.Try([0x0F, 0x0B, 0x78, 0x65, 0x6F, 0x0F, 0xA2], ref registers), 6, "another prefix"u8);
        Report.Same(Traps.Try([0x0F, 0x0B, 0x78, 0x65, 0x6E, 0xF4], ref registers), 6, "the prefix before hlt"u8);
        UserSpace.Start();
        UserSpace.Load([0x0F, 0x0B, 0x78, 0x65, 0x6E, 0x0F, 0xA2, 0xCC]);
        IretContext frame = UserSpace.Frame();
        frame.Rax = Base;
        Report.Same(Traps.Leave(ref frame), 3, "a user program"u8);
        Report.Same(Traps.Last.Rbx, 0x566E_6558, "its signature"u8);
        Report.Same(Traps.Last.Rip, UserSpace.CodeAddress + 8, "its address"u8);

        // The instruction at the very end of the last page that is mapped.
        byte* page = Memory.TakePage();
        byte* behind = Memory.TakePage();
        Xen.UpdateVaMapping((ulong)behind, 0);
        ReadOnlySpan<byte> prefix = [0x0F, 0x0B, 0x78, 0x65, 0x6E];
        for (int i = 0; i < 5; i++)
        {
            page[4096 - 5 + i] = prefix[i];
        }

        registers.Rax = Base;
        ulong vector = Traps.Try(page + 4096 - 5, ref registers);
        Report.Same(vector, 14, "the instruction behind the prefix is not there"u8);
        Report.Same(Traps.Cr2, (ulong)behind, "its address"u8);
        page[4096 - 2] = 0x0F;
        page[4096 - 1] = 0x0B;
        Report.Same(Traps.Try(page + 4096 - 2, ref registers), 6, "ud2 at the end of a page"u8);
        PageTables.MakeWritable(behind);
    }
}
