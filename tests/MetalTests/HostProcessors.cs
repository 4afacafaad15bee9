// The processors of the host that machines are run on.
using System.Collections.Generic;
using System.Threading;

namespace Xenolith.MetalTests;

/// <summary>
/// Each processor of a machine keeps one of the host busy. Where there are fewer of the host, one of the machine's is stopped while it holds a lock that another spins
/// for, and all of it takes many times as long: so a machine waits for its turn, first come, first served.
/// </summary>
internal static class HostProcessors
{
    private const int Count = 2;

    private static readonly Lock s_lock = new();
    private static readonly Queue<(int Wanted, ManualResetEventSlim Ready)> s_waiting = new();
    private static int s_free = Count;

    /// <summary>Takes as many as there are at most; gives how many have to be given back.</summary>
    internal static int Take(int wanted)
    {
        wanted = int.Min(wanted, Count);
        using ManualResetEventSlim ready = new();
        lock (s_lock)
        {
            s_waiting.Enqueue((wanted, ready));
            Admit();
        }

        ready.Wait();
        return wanted;
    }

    internal static void Give(int taken)
    {
        lock (s_lock)
        {
            s_free += taken;
            Admit();
        }
    }

    private static void Admit()
    {
        while (s_waiting.TryPeek(out (int Wanted, ManualResetEventSlim Ready) next) && next.Wanted <= s_free)
        {
            s_free -= next.Wanted;
            s_waiting.Dequeue().Ready.Set();
        }
    }
}
