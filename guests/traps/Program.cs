// traps: does each exception arrive with the right frame and error code?
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class TrapsProgram
{
    private const ulong DirectionFlag = 0x400;

    [RuntimeExport("guest_traps")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        Faults();
        SoftwareTraps();
        PageFaults();
        Selectors();
        FloatingPoint();
        Masks();
        SingleStep();
        TrapTable();
    }

    /// <summary>Tries instructions and compares vector, error code and the distance of the reported address from the first byte.</summary>
    private static void Expect(ReadOnlySpan<byte> instructions, ulong vector, ulong errorCode, ulong offset, ReadOnlySpan<byte> what)
    {
        ProbeRegisters registers = new() { Rcx = 0, Rax = 0x1234, Rdx = 0x5678, Rbx = 0x9ABC, R8 = 0xDEF0 };
        ulong got = Traps.Try(instructions, ref registers);
        if (!Report.Same(got, vector, what))
        {
            return;
        }

        ref readonly TrapFrame frame = ref Traps.Last;
        Report.Same(frame.ErrorCode, errorCode, what);
        Report.Same(frame.Rip - (ulong)Memory.CodePage, offset, what);
        Report.Same(frame.Cs & 0xFFFF, 0xE030, what);
        Report.Same(frame.Ss, 0xE02B, what);
        Report.Same(frame.Rflags & 0x27000, 0, what);
        Report.Same(frame.Rflags & 0x200, 0, what);
        Report.Check(frame.EventsWereMasked, what);
        Report.Same(frame.Rbx, 0x9ABC, what);
        Report.Same(frame.R8, 0xDEF0, what);
    }

    private static void Faults()
    {
        Expect([0xF7, 0xF1], 0, 0, 0, "#DE by div"u8);
        Expect([0x0F, 0x0B], 6, 0, 0, "#UD by ud2"u8);
        Expect([0x0F, 0xFF, 0xC0], 6, 0, 0, "#UD by ud0"u8);
        Expect([0x06], 6, 0, 0, "#UD by push es"u8);
        Expect([0xF0, 0x90], 6, 0, 0, "#UD by lock nop"u8);
        Expect([0xF4], 13, 0, 0, "#GP by hlt"u8);
        Expect([0x0F, 0x01, 0x10], 13, 0, 0, "#GP by lgdt"u8);
        Expect([0x0F, 0x01, 0xF8], 13, 0, 0, "#GP by swapgs"u8);
        Expect([0x48, 0x0F, 0x07], 13, 0, 0, "#GP by sysret"u8);
        Expect([0x0F, 0x00, 0xD8], 13, 0, 0, "#GP by ltr"u8);
        Expect([0x48, 0xB9, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x8B, 0x01], 13, 0, 10, "#GP by an address that is not canonical"u8);
        ProbeRegisters registers = new() { Rcx = 0xC0FFEE };
        Report.Same(Traps.Try([0xF4], ref registers), 13, "#GP"u8);
        Report.Same(Traps.Last.Rcx, 0xC0FFEE, "rcx in the frame"u8);
        registers.Rcx = 0;
        Traps.Try([0x49, 0xBB, 1, 2, 3, 4, 5, 6, 7, 8, 0xF4], ref registers);
        Report.Same(Traps.Last.R11, 0x0807060504030201, "r11 in the frame"u8);
    }

    private static void SoftwareTraps()
    {
        Expect([0xCC], 3, 0, 1, "#BP by int3"u8);
        Expect([0xCD, 0x03], 3, 0, 2, "#BP by int 3"u8);
        Expect([0xCD, 0x04], 4, 0, 2, "#OF by int 4"u8);
        if (Machine.IsTranslator)
        {
            // QEMU's translator does not know the instruction at privilege 3.
            Expect([0xF1], 6, 0, 0, "icebp on the translator"u8);
        }
        else
        {
            Expect([0xF1], 1, 0, 1, "#DB by icebp"u8);
        }

        // An odd stack is rounded down for the frame and reported as it was.
        Traps.Try([0x48, 0x83, 0xEC, 0x05, 0xCC, 0x48, 0x83, 0xC4, 0x05]);
        ulong frameEnd = Traps.StackInHandler + (ulong)sizeof(TrapFrame);
        Report.Same(frameEnd & 15, 0, "the frame ends on a multiple of 16"u8);
        Report.Check(Traps.Last.Rsp - frameEnd < 16, "the frame lies right below the stack pointer"u8);
        Report.Same(Traps.Last.Rsp & 7, 3, "the stack pointer in the frame"u8);
        Traps.Try([0xFD, 0xCC]);
        Report.Same(Traps.Last.Rflags & DirectionFlag, DirectionFlag, "DF in the frame"u8);
    }

    private static void PageFaults()
    {
        const ulong Nowhere = 0x1234_5678_9000;
        Fault([0x8B, 0x01], Nowhere + 0x123, 0, 0, "read of nothing"u8);
        Fault([0x89, 0x01], Nowhere + 0xFFF, 2, 0, "write of nothing"u8);
        Fault([0x8B, 0x01], 0, 0, 0, "read of address 0"u8);
        Fault([0x8B, 0x01], ~0UL - 7, 0, 0, "read of the last address"u8);
        byte* page = Memory.TakePage();
        PageTables.MakeReadOnly(page);
        Fault([0x89, 0x01], (ulong)page + 8, 3, 0, "write to a read-only page"u8);
        PageTables.MakeWritable(page);
        Xen.UpdateVaMapping((ulong)page, (Memory.Frame(page) << 12) | PageTables.KernelWritable | PageTables.NoExecute);
        ProbeRegisters registers = new() { Rcx = (ulong)page };
        Report.Same(Traps.Try([0xFF, 0xE1], ref registers), 14, "jump to a page without the right to execute"u8);
        Report.Same(Traps.Last.ErrorCode, 0x11, "its error code"u8);
        Report.Same(Traps.Last.Rip, (ulong)page, "its address"u8);
        Fault([0x89, 0x01], 0xFFFF_8000_0000_0000, 3, 0, "write to the table of frames"u8);
        Fault([0x8B, 0x01], 0xFFFF_8300_0000_0000, 0x1, 1, "read of the hypervisor's memory"u8);
        registers.Rcx = Nowhere;
        Report.Same(Traps.Try([0xFF, 0xE1], ref registers), 14, "jump to nothing"u8);
        Report.Same(Traps.Last.ErrorCode & ~0x10UL, 0, "its error code"u8);
        Report.Same(Traps.Cr2, Nowhere, "its cr2"u8);
    }

    private static void Fault(ReadOnlySpan<byte> instructions, ulong address, ulong errorCode, ulong ignored, ReadOnlySpan<byte> what)
    {
        ProbeRegisters registers = new() { Rcx = address };
        if (Report.Same(Traps.Try(instructions, ref registers), 14, what))
        {
            Report.Same(Traps.Last.ErrorCode & ~ignored, errorCode & ~ignored, what);
            Report.Same(Traps.Cr2, address, what);
            Report.Same(Traps.Last.Rip, (ulong)Memory.CodePage, what);
        }
    }

    private static void Selectors()
    {
        Descriptors.Start();
        Descriptors.Write(3, Descriptors.DataAbsent);
        Expect([0x31, 0xC0, 0xB0, 0x1B, 0x8E, 0xD8], 11, 0x18, 4, "#NP by ds"u8);
        Expect([0x31, 0xC0, 0xB0, 0x1B, 0x8E, 0xD0], 12, 0x18, 4, "#SS by ss"u8);
        Expect([0x31, 0xC0, 0xB0, 0x23, 0x8E, 0xC0], 13, 0x20, 4, "#GP by an empty descriptor"u8);
        Expect([0x31, 0xC0, 0x66, 0xB8, 0xFB, 0xFF, 0x8E, 0xE0], 13, 0xFFF8, 6, "#GP by a selector behind the table"u8);
        Expect([0x31, 0xC0, 0xB0, 0x0F, 0x8E, 0xE8], 13, 0x0C, 4, "#GP by the missing local table"u8);
        Expect([0x31, 0xC0, 0x8E, 0xD0], 13, 0, 2, "#GP by a null ss"u8);
    }

    private static void FloatingPoint()
    {
        // fpu_taskswitch(1) and fnop in one go: what the compiler emits between two calls may use the registers as well.
        Expect([0xB8, 5, 0, 0, 0, 0xBF, 1, 0, 0, 0, 0x0F, 0x05, 0xD9, 0xD0], 7, 0, 12, "#NM by fnop"u8);
        Report.Same(Traps.Last.Rax, 0, "fpu_taskswitch 1"u8);
        Report.Same(Traps.Try([0xD9, 0xD0]), Traps.None, "#NM comes once"u8);
        // FCW with division by zero unmasked; 1/0; fwait.
        Expect([0xDB, 0xE3, 0x68, 0x7B, 0x03, 0, 0, 0xD9, 0x2C, 0x24, 0x58, 0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0x9B], 16, 0, 17, "#MF by fwait"u8);
        Traps.Try([0xDB, 0xE3]);
    }

    private static void Masks()
    {
        Xen.SetTrap(6, Traps.Stub(6), 0, true);
        Events.Mask = 0;
        Traps.Try([0x0F, 0x0B]);
        Report.Same(Traps.MaskInHandler, 1, "an interrupt gate masks events"u8);
        Report.Check(!Traps.Last.EventsWereMasked, "the frame keeps the open mask"u8);
        Report.Same(Traps.Last.Rflags & 0x200, 0x200, "IF of the frame is the open mask"u8);
        Report.Same(Events.Mask, 0, "iret opens the mask again"u8);
        Xen.SetTrap(6, Traps.Stub(6));
        Traps.Try([0x0F, 0x0B]);
        Report.Same(Traps.MaskInHandler, 0, "a trap gate leaves events open"u8);
        Events.Mask = 1;
        Traps.Try([0x0F, 0x0B]);
        Report.Same(Events.Mask, 1, "iret keeps a closed mask closed"u8);
    }

    private static void SingleStep()
    {
        // pushf; or word [rsp], 0x100; popf; nop
        ulong vector = Traps.Try([0x9C, 0x66, 0x81, 0x0C, 0x24, 0x00, 0x01, 0x9D, 0x90, 0x90]);
        Report.Same(vector, 1, "#DB by TF"u8);
        Report.Same(Traps.Last.Rip - (ulong)Memory.CodePage, 9, "#DB comes behind the next instruction"u8);
        Report.Same(Traps.Last.Rflags & 0x100, 0x100, "TF in the frame"u8);
        Report.Same((ulong)Xen.Call(HypercallNumber.GetDebugReg, 6) & 0x4000, 0x4000, "DR6.BS"u8);
    }

    private static void TrapTable()
    {
        TrapInfo* table = stackalloc TrapInfo[2];
        table[0] = new TrapInfo { Vector = 6, Cs = 0xE033, Address = 0x8000_0000_0000_0000 };
        table[1] = default;
        Report.Result(Xen.Call(HypercallNumber.SetTrapTable, (ulong)table), XenError.Invalid, "a handler that is not canonical"u8);
        Report.Result(Xen.Call(HypercallNumber.SetTrapTable, 0x1234_5678_9000), XenError.Fault, "a table that is not there"u8);
        Report.Same(Traps.Try([0x0F, 0x0B]), 6, "the old handler is still there"u8);
    }
}
