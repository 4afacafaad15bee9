// Where the assembly calls C#.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>The exports that start.S and traps.S name.</summary>
internal static unsafe class Entry
{
    [RuntimeExport("guest_entry")]
    private static void Start(byte* startInfo)
    {
        Memory.Start(startInfo);
        Native.Main();
        Report.Finish();
    }

    [RuntimeExport("guest_trap")]
    private static void Trap(TrapFrame* frame) => Traps.Handle(frame);

    [RuntimeExport("corelib_panic")]
    private static void Panic(int reason)
    {
        Report.Begin("Error: the guest's own check failed, reason "u8);
        Text.Decimal(reason);
        Text.EndLine();
        Xen.EndMachine();
    }
}
