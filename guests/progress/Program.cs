// progress: does a kernel get on whose event handler sends the next event to its own vcpu?
using System.Runtime;
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class ProgressProgram
{
    private const uint Steps = 500;
    private const uint Upcalls = 50_000;
    private static uint s_steps;

    [RuntimeExport("guest_progress")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        Traps.Callbacks();
        uint port = (uint)Events.BindIpi(0);
        Report.Result(Events.Unmask(port), XenError.None, "unmask"u8);
        Events.Forget();
        Events.Echo(port, Upcalls);
        Events.Mask = 0;
        Events.Send(port);
        while (Volatile.Read(ref s_steps) < Steps)
        {
            Volatile.Write(ref s_steps, s_steps + 1);
        }

        ulong upcalls = Events.Upcalls;
        Events.Echo(0, 0);
        Events.Close();
        Report.Check(upcalls > 64, "the handler sent event upon event"u8);
        Report.Check(upcalls < Upcalls, "the interrupted program got on meanwhile"u8);
        ulong flags = Traps.Try([0xCC]) == 3 ? Traps.Last.Rflags : ~0UL;
        Report.Same(flags & 0x100, 0, "the trap flag afterwards"u8);
    }
}
