// The lock of the core.
using System.Threading;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor;

/// <summary>
/// One lock for all of the core: whoever runs C# on a guest's account or for an interrupt holds it. What a guest does most (system
/// calls, iret, page faults of its programs) never comes to C# and takes no lock. See docs/decisions/0013-one-lock.md, and
/// <see cref="LockOrder"/> for what may wait for what. Interrupts are off while it is held or waited for, and nothing sleeps with it: an idle processor lets go before it halts.
/// </summary>
internal static class HypervisorLock
{
    private const int Nobody = 0;

    // Nobody, or the holder's index plus one.
    private static int s_holder;

    // A bit for each processor that waits: long work is cut shorter for them.
    private static ulong s_waiting;

    /// <summary>Whether another processor waits.</summary>
    internal static bool IsWanted => Volatile.Read(ref s_waiting) != 0;

    internal static void Enter()
    {
        Stress.Delay();
        int self = Cpu.Index + 1;
        if (Interlocked.CompareExchange(ref s_holder, self, Nobody) != Nobody)
        {
            Wait(self);
        }

        Stress.Delay();
    }

    internal static void Exit()
    {
        LockOrder.AssertHeld();
        Stress.Delay();
        Volatile.Write(ref s_holder, Nobody);
        Stress.Delay();
    }

    /// <summary>Whether this processor holds the lock; for assertions and for the report of a panic.</summary>
    internal static bool IsMine => Volatile.Read(ref s_holder) == Cpu.Index + 1;

    /// <summary>The holder may be waiting for this very processor: its requests are served meanwhile.</summary>
    private static void Wait(int self)
    {
        Fatal.Assert(Volatile.Read(ref s_holder) != self, "the core's lock is taken twice by one processor"u8);
        ulong bit = 1UL << (self - 1);
        Interlocked.Or(ref s_waiting, bit);
        do
        {
            while (Volatile.Read(ref s_holder) != Nobody)
            {
                RemoteRequests.Serve();
                Cpu.Pause();
            }
        }
        while (Interlocked.CompareExchange(ref s_holder, self, Nobody) != Nobody);
        Interlocked.And(ref s_waiting, ~bit);
    }
}
