// What one processor does for another that waits for it.
using System.Threading;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>
/// The processor that asks holds the core's lock and waits. The one that is asked gets an interrupt, cannot have the lock, and serves
/// the request while it waits for it; so what is done here needs no lock.
/// </summary>
internal static class RemoteRequests
{
    /// <summary>Drop all translations.</summary>
    internal const int Flush = 1;

    /// <summary>Store the state of the loaded vcpu, so that another processor can run it.</summary>
    internal const int Unload = 2;

    /// <summary>Store the state of the loaded vcpu, to be read; it stays loaded.</summary>
    internal const int Store = 4;

    /// <summary>Tells a processor without waiting for it.</summary>
    internal static void Post(ref Processor processor, int request)
    {
        LockOrder.AssertMayAsk(ref processor);
        Volatile.Write(ref processor.Requests, request);
        Stress.Delay();
        LocalApic.SendInterrupt(processor.ApicId, Vectors.Kick);
    }

    /// <summary>Waits until the processor has done what it was asked.</summary>
    internal static void Await(ref Processor processor)
    {
        LockOrder.AssertMayAwait(ref processor);
        while (Volatile.Read(ref processor.Requests) != 0)
        {
            Cpu.Pause();
        }
    }

    /// <summary>Does what this processor is asked for.</summary>
    internal static void Serve()
    {
        ref Processor processor = ref ProcessorTable.Current;
        int requests = Volatile.Read(ref processor.Requests);
        if (requests == 0)
        {
            return;
        }

        LockOrder.AssertMayServe();
        Stress.Delay();
        if ((requests & Unload) != 0 && processor.CurrentVcpu >= 0)
        {
            ContextSwitch.Unload(ref processor);
        }

        if ((requests & Store) != 0 && processor.CurrentVcpu >= 0)
        {
            ContextSwitch.Store(ref VcpuTable.At(processor.CurrentVcpu));
        }

        if ((requests & Flush) != 0)
        {
            Tlb.FlushAll();
        }

        Stress.Delay();
        Volatile.Write(ref processor.Requests, 0);
    }
}
