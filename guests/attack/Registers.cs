// attack_registers: several of these run at the same time; each finds only its own values in all registers.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class RegistersAttack
{
    private const ulong Duration = 1_500_000_000;

    [RuntimeExport("guest_attack_registers")]
    private static void Main()
    {
        Neighbour.Start();
        ulong own = 0x1_0000_0000 + ((ulong)Neighbour.Self << 16);
        VectorRegisters.Start(own);
        for (ulong number = 0; number < 4; number++)
        {
            Xen.Call(HypercallNumber.SetDebugReg, number, own + (number * 8));
        }

        Xen.Call(HypercallNumber.SetDebugReg, 7, 0x1111_00FF);
        Xen.Call(HypercallNumber.SetSegmentBase, 0, own);
        Xen.Call(HypercallNumber.SetSegmentBase, 1, own + 1);
        Xen.Call(HypercallNumber.SetSegmentBase, 2, own + 2);

        // The first half with SSE only, so that others' AVX registers could show through; the second half with AVX.
        ulong end = Timers.Now + Duration;
        ulong rounds = Rounds(own, end - (Duration / 2));
        bool isWide = VectorRegisters.TryWiden();
        rounds += Rounds(own, end);
        Report.Check(rounds > 2, "it had time to look"u8);
        Report.Note(isWide ? "rounds with AVX"u8 : "rounds without AVX"u8, rounds);
        Neighbour.Finish();
    }

    private static ulong Rounds(ulong own, ulong end)
    {
        ulong rounds = 0;
        bool isWhole = true;
        while (isWhole && Timers.Now < end)
        {
            // mov ecx, 50000; dec ecx; jnz; xor edi, edi; syscall (EAX: yield or xen_version); the loop again
            isWhole = Report.Check(
                VectorRegisters.Survive(
                    [
                        0x89, 0xC2, 0xB9, 0x50, 0xC3, 0, 0, 0xFF, 0xC9, 0x75, 0xFC, 0x89, 0xD0, 0x31, 0xFF, 0x0F, 0x05,
                        0xB9, 0x50, 0xC3, 0, 0, 0xFF, 0xC9, 0x75, 0xFC,
                    ],
                    rounds % 2 == 0 ? 29u : 17u),
                "the registers of x87, SSE and AVX"u8);
            for (ulong number = 0; number < 4; number++)
            {
                isWhole &= Report.Same((ulong)Xen.Call(HypercallNumber.GetDebugReg, number), own + (number * 8), "a debug register"u8);
            }

            isWhole &= Report.Same((ulong)Xen.Call(HypercallNumber.GetDebugReg, 7), 0x1111_04FF, "dr7"u8);
            isWhole &= Base(0xC000_0100, own) & Base(0xC000_0102, own + 1) & Base(0xC000_0101, own + 2);
            rounds++;
        }

        return rounds;
    }

    private static bool Base(ulong register, ulong value)
    {
        ProbeRegisters registers = new() { Rcx = register };
        return Traps.Try([0x0F, 0x32], ref registers) == Traps.None
            && Report.Same((uint)registers.Rax | (registers.Rdx << 32), value, "the base of a segment"u8);
    }
}
