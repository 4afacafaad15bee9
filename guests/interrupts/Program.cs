// interrupts: does INT n reach the handler of vector n, and only with the right privilege?
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class InterruptsProgram
{
    [RuntimeExport("guest_interrupts")]
    private static void Main()
    {
        Traps.Start();
        UserSpace.Start();
        for (int vector = 0; vector < 256; vector++)
        {
            Xen.SetTrap((byte)vector, Traps.Stub(Handler(vector)), 1);
        }

        for (int vector = 0; vector < 256; vector++)
        {
            Kernel((byte)vector);
        }

        for (int vector = 8; vector < 18; vector++)
        {
            Xen.SetTrap((byte)vector, Traps.Stub(vector));
        }

        // A user program needs privilege 3, with the exception of the vectors that have gates of their own.
        Denied(0x21);
        Denied(0xFF);
        Xen.SetTrap(0x21, Traps.Stub(0x21), 3);
        Report.Same(UserSpace.Run([0xCD, 0x21]), 0x21, "int 0x21 of a user program"u8);
        Report.Same(Traps.Last.Rip, UserSpace.CodeAddress + 2, "its address"u8);
        Report.Same(Traps.Last.Cs & 3, 3, "its code selector"u8);
        Xen.SetTrap(0x80, Traps.Stub(0x80), 3);
        Report.Same(UserSpace.Run([0xCD, 0x80]), 0x80, "int 0x80 of a user program"u8);
        Report.Same(Traps.Last.Rip, UserSpace.CodeAddress + 2, "its address"u8);

        Xen.SetTrap(0x30, Traps.Stub(0x30), 0);
        ProbeRegisters registers = default;
        Report.Same(Traps.Try([0xCD, 0x30], ref registers), 13, "int 0x30 with a gate of privilege 0"u8);
        Report.Same(Traps.Last.ErrorCode, (0x30 * 8) + 2, "its error code"u8);
        Report.Same(Traps.Last.Rip, (ulong)Memory.CodePage, "its address"u8);
    }

    /// <summary>INT n pushes no error code: where the exception has one, a handler of another vector takes its place.</summary>
    private static int Handler(int vector) => vector is 8 or (>= 10 and <= 14) or 17 ? vector + 64 : vector;

    private static void Kernel(byte vector)
    {
        ReadOnlySpan<byte> what = "int n of the kernel"u8;
        byte* code = Traps.Code([0xCD, 0]);
        code[1] = vector;
        ProbeRegisters registers = default;
        ulong got = Traps.Try(code, ref registers);
        if (Report.Same(got, (ulong)Handler(vector), what))
        {
            Report.Same(Traps.Last.Rip - (ulong)code, 2, what);
        }
    }

    private static void Denied(byte vector)
    {
        Report.Same(UserSpace.Run([0xCD, vector]), 13, "a user program's int n without the privilege"u8);
        Report.Same(Traps.Last.ErrorCode, ((ulong)vector * 8) + 2, "its error code"u8);
        Report.Same(Traps.Last.Rip, UserSpace.CodeAddress, "its address"u8);
    }
}
