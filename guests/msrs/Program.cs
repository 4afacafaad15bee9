// msrs: what RDMSR and WRMSR of a kernel do, and that a user program has neither.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class MsrsProgram
{
    private const ulong NotCanonical = 0x8000_0000_0000;

    [RuntimeExport("guest_msrs")]
    private static void Main()
    {
        ProbeRegisters registers = new() { Rcx = 0xC001_0055 };
        Report.Same(Traps.Try([0x0F, 0x32], ref registers), Traps.None, "an unknown register without a #GP handler"u8);
        Traps.Start();
        Bases();
        Fixed();
        Unknown();
        HypercallPage();
        UserSpace.Start();
        Report.Same(UserSpace.Run([0xB9, 0x00, 0x01, 0x00, 0xC0, 0x0F, 0x32]), 13, "a user program reads"u8);
        Report.Same(UserSpace.Run([0xB9, 0x00, 0x01, 0x00, 0xC0, 0x0F, 0x30]), 13, "a user program writes"u8);
    }

    private static ulong Read(ulong msr, out ulong value)
    {
        ProbeRegisters registers = new() { Rcx = msr | 0x5555_0000_0000_0000, Rax = ~0UL, Rdx = ~0UL };
        ulong vector = Traps.Try([0x0F, 0x32], ref registers);
        value = registers.Rax | (registers.Rdx << 32);
        return vector;
    }

    private static ulong Write(ulong msr, ulong value)
    {
        ProbeRegisters registers = new() { Rcx = msr, Rax = (uint)value, Rdx = value >> 32 };
        return Traps.Try([0x0F, 0x30], ref registers);
    }

    private static void RoundTrip(ulong msr, ulong value, ReadOnlySpan<byte> what)
    {
        Report.Same(Write(msr, value), Traps.None, what);
        Report.Same(Read(msr, out ulong now), Traps.None, what);
        Report.Same(now, value, what);
        Report.Same(Write(msr, NotCanonical), 13, what);
        Read(msr, out now);
        Report.Same(now, value, what);
    }

    private static void Bases()
    {
        RoundTrip(0xC000_0100, 0x1122_3344_5000, "the base of fs"u8);
        RoundTrip(0xC000_0101, 0xFFFF_FFFF_8012_0000, "the base of gs"u8);
        RoundTrip(0xC000_0102, 0x7000_1234_5000, "the user's base of gs"u8);
        Report.Result(Xen.Call(HypercallNumber.SetSegmentBase, 0, 0x1000), XenError.None, "set_segment_base of fs"u8);
        Read(0xC000_0100, out ulong value);
        Report.Same(value, 0x1000, "fs behind it"u8);
        Report.Result(Xen.Call(HypercallNumber.SetSegmentBase, 1, 0x2000), XenError.None, "set_segment_base of the user's gs"u8);
        Read(0xC000_0102, out value);
        Report.Same(value, 0x2000, "the user's gs behind it"u8);
        Report.Result(Xen.Call(HypercallNumber.SetSegmentBase, 2, 0x3000), XenError.None, "set_segment_base of gs"u8);
        Read(0xC000_0101, out value);
        Report.Same(value, 0x3000, "gs behind it"u8);
        for (ulong which = 0; which < 3; which++)
        {
            Report.Result(Xen.Call(HypercallNumber.SetSegmentBase, which, NotCanonical), XenError.Invalid, "a base that is no address"u8);
        }

        Report.Result(Xen.Call(HypercallNumber.SetSegmentBase, 4, 0), XenError.Invalid, "a segment that is none"u8);
        Report.Result(Xen.Call(HypercallNumber.SetSegmentBase, 3, 0), XenError.None, "a null selector"u8);
        Report.Result(Xen.Call(HypercallNumber.SetSegmentBase, 3, 0x1233), XenError.None, "a selector that does not load"u8);
        Report.Result(Xen.Call(HypercallNumber.SetSegmentBase, 3, 0xE02B), XenError.None, "a selector that loads"u8);
        Read(0xC000_0101, out value);
        Report.Same(value, 0x3000, "gs is still the kernel's"u8);
        Write(0xC000_0101, 0);
        Report.Same(Traps.Try([0x65, 0x48, 0x8B, 0x04, 0x25, 0, 0, 0x10, 0x80]), Traps.None, "gs by its base"u8);
    }

    private static void Fixed()
    {
        Report.Same(Read(0xC000_0080, out ulong efer), Traps.None, "EFER"u8);
        Report.Same(efer & 0x1D01, 0xD01, "SCE, LME, LMA, NX and no SVME"u8);
        Report.Same(Write(0xC000_0080, efer), Traps.None, "the same EFER"u8);
        Report.Same(Write(0xC000_0080, efer ^ 1), 13, "EFER without SCE"u8);
        Report.Same(Write(0xC000_0080, efer ^ 0x800), 13, "EFER without NX"u8);
        Report.Same(Read(0x277, out ulong pat), Traps.None, "PAT"u8);
        Report.Same(pat, 0x0005_0100_0704_06 & 0xFFFF_FFFF_FFFF_FFFF, "the value of PAT"u8);
        Report.Same(Write(0x277, pat), Traps.None, "the same PAT"u8);
        Report.Same(Write(0x277, 0x0007_0406_0007_0406), 13, "another PAT"u8);
        Report.Same(Read(0x10, out ulong first), Traps.None, "TSC"u8);
        Read(0x10, out ulong second);
        Report.Check(second > first, "TSC goes forward"u8);
        Report.Same(Read(0x1B, out ulong apic), Traps.None, "the APIC's base"u8);
        Report.Same(apic, 0xFEE0_0900, "the value of the APIC's base"u8);
        Report.Same(Read(0x179, out _), Traps.None, "MCG_CAP"u8);
        Report.Same(Read(0x17A, out ulong status), Traps.None, "MCG_STATUS"u8);
        Report.Same(status, 0, "the value of MCG_STATUS"u8);
        Report.Same(Read(0x8B, out _), Traps.None, "the microcode's revision"u8);
    }

    private static void Unknown()
    {
        ulong value;
        Report.Same(Read(0xC001_0055, out value), 13, "an unknown register"u8);
        Report.Same(Write(0xC001_0055, 0), 13, "write of an unknown register"u8);
        Report.Same(Read(0xC000_0081, out value), 13, "STAR"u8);
        Report.Same(Read(0xC000_0082, out value), 13, "LSTAR"u8);
        Report.Same(Write(0xC000_0082, 0), 13, "write of LSTAR"u8);
        Report.Same(Write(0xC000_0083, 0), 13, "write of CSTAR"u8);
        Report.Same(Write(0xC000_0084, 0), 13, "write of the mask of SYSCALL"u8);
        Report.Same(Write(0x174, 0), 13, "write of SYSENTER_CS"u8);
        Report.Same(Write(0x176, 0xFFFF_8300_0000_0000), 13, "write of SYSENTER_EIP"u8);
        Report.Same(Write(0x1B, 0xFEE0_0900), 13, "write of the APIC's base"u8);
        Report.Same(Write(0xC000_0080 + 0x94, 0), 13, "write of VM_CR"u8);
        Report.Same(Read(0x800, out value), 13, "a register of the x2APIC"u8);
        Report.Same(Read(0xFFFF_FFFF, out value), 13, "the last register"u8);
    }

    private static void HypercallPage()
    {
        byte* page = Memory.TakePage();
        Report.Same(Read(0x4000_0000, out _), Traps.None, "the hypercall page's register"u8);
        Report.Same(Write(0x4000_0000, Memory.Machine(page)), Traps.None, "a hypercall page"u8);
        ProbeRegisters registers = default;
        Report.Same(Traps.Try(page + (32 * (int)HypercallNumber.XenVersion), ref registers), Traps.None, "a hypercall by the page"u8);
        Report.Same(registers.Rax, 0x4_0011, "its result"u8);
        Report.Same(Write(0x4000_0000, Memory.Machine(page) | 1), 13, "a second hypercall page"u8);
        Report.Same(Write(0x4000_0000, 1UL << 50), 13, "a hypercall page outside of memory"u8);
        Report.Same(Write(0x4000_0000, Memory.Machine(Memory.Root)), 13, "a hypercall page over a page table"u8);
    }
}
