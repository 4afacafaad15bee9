// writable: instructions that write to a level-1 table in use are executed by the hypervisor, with the checks of a hypercall.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class WritableProgram
{
    private const ulong Free = 0x0000_1000_0000_0000;
    private const ulong Mark = PageTables.User | PageTables.KernelMark;
    private const ulong WritableTables = 2;

    private static ulong* s_entry;
    private static ulong s_target;
    private static ulong s_plain;

    [RuntimeExport("guest_writable")]
    private static void Main()
    {
        Traps.Start();
        byte* page = Memory.TakePage();
        s_target = Memory.Machine(page);
        s_plain = s_target | PageTables.KernelWritable | Mark;
        Report.Result(PageTables.AddLive(Free, s_plain), XenError.None, "a mapping"u8);
        s_entry = PageTables.Entry(Free, 1);
        ProbeRegisters registers = new() { Rcx = (ulong)s_entry, Rax = s_plain };
        Report.Same(Traps.Try([0x48, 0x89, 0x01], ref registers), 14, "without the assistance the table is read-only"u8);
        Report.Same(Traps.Last.ErrorCode, 3, "its error code"u8);
        Report.Result(Xen.Call(HypercallNumber.VmAssist, 0, WritableTables), XenError.None, "the assistance"u8);
        Moves();
        Locked();
        Exchanges();
        Strings();
        Refusals();
        Report.Result(Xen.Call(HypercallNumber.VmAssist, 1, WritableTables), XenError.None, "no assistance"u8);
        Fails([0x48, 0x89, 0x01], s_plain, "without the assistance again"u8);
    }

    private static void Set(ulong value) => Report.Result(Xen.MmuUpdate(Memory.Machine(s_entry), value), XenError.None, "the entry is set"u8);

    /// <summary>Tries instructions with RCX and RDI at the entry and RAX, RDX as given; compares the entry afterwards.</summary>
    private static void Does(ReadOnlySpan<byte> instructions, ulong rax, ulong rdx, ulong expected, ReadOnlySpan<byte> what, ulong offset = 0)
    {
        ProbeRegisters registers = new() { Rcx = (ulong)s_entry + offset, Rdi = (ulong)s_entry, Rax = rax, Rdx = rdx, Rsi = (ulong)Memory.StartInfo };
        if (Report.Same(Traps.Try(instructions, ref registers), Traps.None, what))
        {
            Report.Same(*s_entry, expected, what);
        }

        s_after = registers;
    }

    private static ProbeRegisters s_after;

    private static void Fails(ReadOnlySpan<byte> instructions, ulong rax, ReadOnlySpan<byte> what, ulong offset = 0)
    {
        ulong before = *s_entry;
        ProbeRegisters registers = new() { Rcx = (ulong)s_entry + offset, Rdi = (ulong)s_entry, Rax = rax, Rdx = rax };
        if (Report.Same(Traps.Try(instructions, ref registers), 14, what))
        {
            Report.Same(Traps.Last.ErrorCode, 3, what);
            Report.Same(Traps.Last.Rip, (ulong)Memory.CodePage, what);
        }

        Report.Same(*s_entry, before, what);
    }

    private static void Moves()
    {
        Does([0x48, 0x89, 0x01], s_target | PageTables.KernelReadable, 0, s_target | PageTables.KernelReadable | Mark, "mov"u8);
        Does([0x48, 0x89, 0x01], s_plain, 0, s_plain, "mov, to write"u8);
        *(ulong*)Free = 5;
        Does([0x48, 0x89, 0x01], s_target | PageTables.UserWritable, 0, s_target | PageTables.UserWritable | PageTables.Global, "mov of a user's entry"u8);
        Does([0x48, 0xC7, 0x01, 0x00, 0x20, 0x00, 0x00], 0, 0, 0x2000, "mov of a constant"u8);
        Does([0x48, 0xC7, 0x01, 0xFE, 0xFF, 0xFF, 0xFF], 0, 0, 0xFFFF_FFFF_FFFF_FFFE, "mov of a negative constant"u8);
        Does([0x89, 0x01], 0x1111_1110, 0, 0xFFFF_FFFF_1111_1110, "mov of 32 bits"u8);
        Does([0x66, 0x89, 0x01], 0x2220, 0, 0xFFFF_FFFF_1111_2220, "mov of 16 bits"u8);
        Does([0x88, 0x01], 0x30, 0, 0xFFFF_FFFF_1111_2230, "mov of 8 bits"u8);
        Does([0x89, 0x01], 0x55, 0, 0x0000_0055_1111_2230, "mov of the upper half"u8, 4);
        Does([0xC6, 0x01, 0x40], 0, 0, 0x0000_0055_1111_2240, "mov of an 8-bit constant"u8);
        Does([0x4C, 0x8B, 0xC0, 0x4C, 0x89, 0x01], s_plain, 0, s_plain, "mov of r8"u8);
        Does([0x48, 0x89, 0x44, 0x21, 0x00], s_plain, 0, s_plain, "mov with an index byte"u8);
    }

    private static void Locked()
    {
        Set(s_plain);
        Does([0xF0, 0x80, 0x21, 0xFD], 0, 0, s_plain & ~PageTables.Writable, "lock and of 8 bits"u8);
        Does([0xF0, 0x48, 0x83, 0x09, 0x02], 0, 0, s_plain, "lock or"u8);
        Does([0xF0, 0x81, 0x21, 0x9F, 0xFF, 0xFF, 0xFF], 0, 0, s_plain & ~0x60UL, "lock and of 32 bits"u8);
        Does([0xF0, 0x48, 0x0F, 0xBA, 0x29, 0x05], 0, 0, s_plain & ~0x40UL, "lock bts"u8);
        Does([0xF0, 0x48, 0x0F, 0xBA, 0x31, 0x05], 0, 0, s_plain & ~0x60UL, "lock btr"u8);
        Does([0xF0, 0x48, 0x0F, 0xBA, 0x39, 0x06, 0x0F, 0x92, 0xC0], 0, 0, s_plain & ~0x20UL, "lock btc"u8);
        Report.Same(s_after.Rax & 0xFF, 0, "its carry"u8);
        Does([0xF0, 0x48, 0x0F, 0xB3, 0x11, 0x0F, 0x92, 0xC0], 0, 6, s_plain & ~0x60UL, "lock btr by a register"u8);
        Report.Same(s_after.Rax & 0xFF, 1, "its carry"u8);
        Does([0xF0, 0x48, 0x0F, 0xAB, 0x11], 0, 9, (s_plain & ~0x60UL) | 0x200, "lock bts by a register"u8);
        Does([0xF0, 0x48, 0x21, 0x11], 0, ~0x200UL, s_plain & ~0x60UL, "lock and with a register"u8);
        Does([0x48, 0x09, 0x11], 0, 0x60, s_plain, "or with a register"u8);
        Does([0xF0, 0x48, 0x31, 0x11, 0x0F, 0x94, 0xC0], 0, s_plain, 0, "lock xor to nothing"u8);
        Report.Same(s_after.Rax & 0xFF, 1, "its zero flag"u8);
        Does([0x48, 0x01, 0x11], 0, s_plain, s_plain, "add"u8);
        Does([0x48, 0x29, 0x11], 0, s_plain, 0, "sub"u8);
    }

    private static void Exchanges()
    {
        Set(s_plain);
        Does([0x48, 0x87, 0x01], 0, 0, 0, "xchg"u8);
        Report.Same(s_after.Rax, s_plain, "what xchg brought"u8);
        Does([0x48, 0x87, 0x01], s_plain, 0, s_plain, "xchg back"u8);
        Report.Same(s_after.Rax, 0, "what it brought"u8);
        Does([0xF0, 0x48, 0x0F, 0xB1, 0x11, 0x40, 0x0F, 0x94, 0xC6], s_plain, s_plain & ~2UL, s_plain & ~2UL, "lock cmpxchg"u8);
        Report.Same(s_after.Rsi & 0xFF, 1, "its zero flag"u8);
        Does([0xF0, 0x48, 0x0F, 0xB1, 0x11, 0x40, 0x0F, 0x94, 0xC6], s_plain, 0, s_plain & ~2UL, "lock cmpxchg of another value"u8);
        Report.Same(s_after.Rsi & 0xFF, 0, "its zero flag"u8);
        Report.Same(s_after.Rax, s_plain & ~2UL, "what it found"u8);
        Set(0);
        Does([0x87, 0x01], 0x1110, 0, 0x1110, "xchg of 32 bits"u8);
        Set(s_plain);
    }

    private static void Strings()
    {
        Set(0);
        Does([0x48, 0xAB], s_plain, 0, s_plain, "stos"u8);
        Report.Same(s_after.Rdi - (ulong)s_entry, 8, "rdi behind stos"u8);

        // xor eax, eax; mov ecx, 4; rep stosq
        Does([0x31, 0xC0, 0xB9, 4, 0, 0, 0, 0xF3, 0x48, 0xAB], 0, 0, 0, "rep stos"u8);
        Report.Same(s_after.Rdi - (ulong)s_entry, 32, "rdi behind rep stos"u8);
        Report.Same(s_after.Rcx, 0, "rcx behind rep stos"u8);
        Set(s_plain);
    }

    private static void Refusals()
    {
        Set(s_plain);
        Fails([0x48, 0x89, 0x01], s_plain | (1UL << 51), "a bad frame"u8);
        Fails([0x48, 0x89, 0x01], (Memory.Machine(s_entry) & ~0xFFFUL) | PageTables.KernelWritable, "the table itself, to write"u8);
        Fails([0x48, 0x89, 0x01], Memory.Machine(Memory.Root) | PageTables.KernelWritable, "the root, to write"u8);
        Fails([0x48, 0x89, 0x01], 0xFEE0_0000 | PageTables.KernelWritable, "the local APIC"u8);
        Fails([0x48, 0x87, 0x01], Memory.Machine(Memory.Root) | PageTables.KernelWritable, "the root by xchg"u8);
        Fails([0x48, 0x89, 0x01], 0, "a write that crosses an entry"u8, 4);
        Fails([0x89, 0x01], 0, "a write at an odd address"u8, 2);
        Fails([0x0F, 0x11, 0x01], 0, "a write of 16 bytes"u8);
        ulong* level2 = PageTables.Entry(Free, 2);
        ProbeRegisters registers = new() { Rcx = (ulong)level2, Rax = 0 };
        Report.Same(Traps.Try([0x48, 0x89, 0x01], ref registers), 14, "a level-2 table"u8);
        registers.Rcx = (ulong)Memory.Root;
        Report.Same(Traps.Try([0x48, 0x89, 0x01], ref registers), 14, "the root"u8);
        byte* other = Memory.TakePage();
        PageTables.MakeReadOnly(other);
        registers.Rcx = (ulong)other;
        Report.Same(Traps.Try([0x48, 0x89, 0x01], ref registers), 14, "a read-only page that is no table"u8);
        Report.Same(*(ulong*)Free, 5, "the page is untouched"u8);
    }
}
