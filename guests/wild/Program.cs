// wild: every hypercall with pointers to nowhere, to the hypervisor, to no address, and with lengths that wrap.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class WildProgram
{
    private const int Pointers = 8;
    private const int Numbers = 64;

    private static Values s_pointers;

    [RuntimeExport("guest_wild")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        ReadOnlySpan<ulong> values =
        [
            0x1234_5678_9000, 0xFFFF_8000_0000_0000, 0xFFFF_8300_0000_0000, 0xFFFF_87FF_FFFF_FFF8, 0x8000_0000_0000_0000,
            0xFFFF_FFFF_FFFF_FFFC, 0x7FFF_FFFF_FFFE, 0xFFFF_87FF_FFFF_FFFF,
        ];
        for (int i = 0; i < Pointers; i++)
        {
            s_pointers[i] = values[i];
        }

        // What the guest itself relies on must not change: its console, its end, its stacks and tables.
        for (uint number = 0; number < Numbers; number++)
        {
            if (!IsSpared((HypercallNumber)number))
            {
                All(number);
            }
        }

        Report.Result(Xen.Call((HypercallNumber)64), XenError.NotImplemented, "number 64"u8);
        Report.Result(Xen.Call((HypercallNumber)0xFFFF_FFFF_FFFF_FFFF), XenError.NotImplemented, "number -1"u8);
        Restore();
        Report.Same((ulong)Xen.Call(HypercallNumber.XenVersion), 0x4_0011, "the hypervisor still answers"u8);
    }

    /// <summary>Whose arguments are no pointers, and whose effect would be the guest's own end.</summary>
    private static bool IsSpared(HypercallNumber number) =>
        number is HypercallNumber.Iret or HypercallNumber.SetCallbacks or HypercallNumber.FpuTaskSwitch or HypercallNumber.KexecOp;

    private static void All(uint number)
    {
        for (int first = 0; first < Pointers; first++)
        {
            // A pointer in the first place, and counts or pointers in the second.
            Call(number, s_pointers[first], 1, 0);
            Call(number, s_pointers[first], 0x7FFF_FFFF, 0);
            Call(number, s_pointers[first], s_pointers[first], s_pointers[first]);
        }

        // An operation in the first place, and its argument in the second.
        for (uint operation = 0; operation < 70; operation++)
        {
            if (IsDeadly((HypercallNumber)number, operation))
            {
                continue;
            }

            for (int second = 0; second < Pointers; second++)
            {
                Call(number, operation, s_pointers[second], s_pointers[second]);
                Call(number, operation, 1, s_pointers[second]);
            }
        }
    }

    /// <summary>Operations that end or stop the domain without looking at any pointer.</summary>
    private static bool IsDeadly(HypercallNumber number, uint operation) => number switch
    {
        // Blocking with nothing to come, shutdown, polling without a timeout.
        HypercallNumber.SchedOp => operation is 1 or 2 or 5,
        HypercallNumber.SchedOpCompat => operation is 1 or 2,

        // Down, and initialise of what does not exist; a wild timer is no matter.
        HypercallNumber.VcpuOp => operation is 2,

        // Clears the table.
        HypercallNumber.SetTrapTable => operation is 0,
        _ => false,
    };

    private static void Call(uint number, ulong first, ulong second, ulong third)
    {
        if (number == (uint)HypercallNumber.ConsoleIo && first == 0 && second > 0x1000)
        {
            second = 0x1000;
        }

        long result = Xen.Call((HypercallNumber)number, first, second, third, 0, 0);
        if (result is < -200 and > -4096)
        {
            Report.Begin("Failure: hypercall "u8);
            Text.Decimal(number);
            Text.Write(" gives "u8);
            Text.Decimal(result);
            Text.EndLine();
            Report.Check(false, "an error number"u8);
        }

        Report.Check(result > -4096, "an error number"u8);
    }

    private static void Restore()
    {
        Traps.Start();
        Report.Same(Traps.Try([0x0F, 0x0B]), 6, "traps still arrive"u8);
        Report.Same(Events.Mask, 1, "events are still closed"u8);
    }

    [System.Runtime.CompilerServices.InlineArray(Pointers)]
    private struct Values
    {
        private ulong _first;
    }
}
