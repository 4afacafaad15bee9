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

    // In powers of two, of the millisecond of a hypercall: waits up to the one are in the nature of a lock; nobody owes more than the other.
    private const int FreeShift = 7;
    private const int MostShift = 4;

    // Nobody, or the holder's index plus one.
    private static int s_holder;

    // A bit for each processor that waits: long work is cut shorter for them.
    private static ulong s_waiting;

    // A bit for each processor that has kept another waiting, and has not waited for it yet.
    private static ulong s_owing;

    /// <summary>Whether another processor waits.</summary>
    internal static bool IsWanted => Volatile.Read(ref s_waiting) != 0;

    internal static void Enter()
    {
        Stress.Delay();
        int self = Cpu.Index + 1;
        if (((Volatile.Read(ref s_owing) >> (self - 1)) & 1) != 0)
        {
            Repay(self);
        }

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
        int first = Volatile.Read(ref s_holder);
        ulong start = Tsc.Read();
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
        ulong waited = Tsc.Read() - start;
        if (first != Nobody && waited > Preemption.SliceTicks >> FreeShift)
        {
            Owe(first, waited);
        }
    }

    /// <summary>The processor will wait as long as it has kept this one, which has the lock now, waiting.</summary>
    private static void Owe(int holder, ulong ticks)
    {
        ref ulong owed = ref ProcessorTable.At(holder - 1).LockDebt;
        Volatile.Write(ref owed, Math.Min(Volatile.Read(ref owed) + ticks, Preemption.SliceTicks >> MostShift));
        Interlocked.Or(ref s_owing, 1UL << (holder - 1));
    }

    /// <summary>Leaves the lock to the others for a while, who would not get a share of it else: they may need it for short, and often.</summary>
    private static void Repay(int self)
    {
        ref ulong owed = ref ProcessorTable.At(self - 1).LockDebt;
        Interlocked.And(ref s_owing, ~(1UL << (self - 1)));
        ulong ticks = Volatile.Read(ref owed);
        Volatile.Write(ref owed, 0);
        ulong start = Tsc.Read();
        while (Tsc.Read() - start < ticks)
        {
            RemoteRequests.Serve();
        }
    }
}
