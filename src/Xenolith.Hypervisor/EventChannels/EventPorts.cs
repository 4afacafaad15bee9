// Opening, closing and signalling event channels.
using System.Threading;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.EventChannels;

/// <summary>The two-level event channels of a domain. A port's state is published last, after everything that belongs to it.</summary>
public static class EventPorts
{
    private const int BitsPerWord = 64;

    /// <summary>Finds the lowest free port. Errors: NoSpace, NoMemory.</summary>
    internal static XenError TryAllocate(ref Domain domain, out uint port)
    {
        for (port = 1; port < (uint)domain.Events.Capacity; port++)
        {
            if (domain.Events.At(port).State == EventChannelState.Free)
            {
                return port <= domain.Settings.HighestEventPort ? XenError.None : XenError.NoSpace;
            }
        }

        if (domain.Events.Capacity >= DomainEvents.MaximumPorts || port > domain.Settings.HighestEventPort)
        {
            return XenError.NoSpace;
        }

        if (!DomainFrames.TryAllocateOwn(out Mfn page))
        {
            return XenError.NoMemory;
        }

        domain.Events.AddPage(page);
        port = Math.Max(port, 1u);
        return XenError.None;
    }

    /// <summary>Whether the port exists and is in use.</summary>
    internal static bool IsOpen(ref Domain domain, uint port)
        => port != 0 && port < (uint)domain.Events.Capacity && domain.Events.At(port).State != EventChannelState.Free;

    internal static void Open(ref Domain domain, uint port, EventChannelState state, uint vcpu, ushort remoteDomain, uint number)
    {
        ref EventChannel channel = ref domain.Events.At(port);
        channel.Vcpu = (ushort)vcpu;
        channel.RemoteDomain = remoteDomain;
        channel.Number = number;
        channel.State = state;
    }

    /// <summary>Frees the port and forgets a pending event.</summary>
    internal static void Free(ref Domain domain, uint port)
    {
        domain.Events.At(port).State = EventChannelState.Free;
        Interlocked.And(ref PendingWord(ref domain, port), ~Bit(port));
    }

    /// <summary>Raises a VIRQ of one vcpu.</summary>
    public static void RaiseVirq(ref Vcpu vcpu, VirtualIrq virq)
    {
        uint port = vcpu.Events.Virqs[(int)virq];
        if (port != 0)
        {
            SetPending(ref vcpu.Domain, port);
        }
    }

    /// <summary>Raises a VIRQ that belongs to the domain; it is bound through vcpu 0.</summary>
    public static void RaiseGlobalVirq(ref Domain domain, VirtualIrq virq)
    {
        int index = domain.VcpuIndex(0);
        if (domain.State == DomainState.Running && index >= 0)
        {
            RaiseVirq(ref VcpuTable.At(index), virq);
        }
    }

    /// <summary>Marks the port pending and tells its vcpu unless it is masked.</summary>
    public static void SetPending(ref Domain domain, uint port)
    {
        LockOrder.AssertHeld();
        int index = domain.VcpuIndex(domain.Events.At(port).Vcpu);
        if (index < 0 || (Interlocked.Or(ref PendingWord(ref domain, port), Bit(port)) & Bit(port)) != 0)
        {
            return;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        if ((Volatile.Read(ref MaskWord(ref domain, port)) & Bit(port)) == 0 && VcpuInfoPage.MarkPending(ref vcpu, (int)(port / BitsPerWord)))
        {
            Scheduler.Wake(ref vcpu);
        }

        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            ref Vcpu poller = ref VcpuTable.At(domain.VcpuIndex(id));
            if (poller.Events.IsPolling && (poller.Events.PolledPort == 0 || poller.Events.PolledPort == port))
            {
                Scheduler.Wake(ref poller);
            }
        }
    }

    /// <summary>Sends an event through an interdomain port of the domain: the peer's becomes pending.</summary>
    internal static void Notify(ref Domain domain, uint port)
    {
        EventChannel channel = domain.Events.At(port);
        if (DomainTable.Exists(channel.RemoteDomain))
        {
            SetPending(ref DomainTable.At(channel.RemoteDomain), channel.Number);
        }
    }

    /// <summary>Clears the mask bit and delivers what is pending.</summary>
    internal static void Unmask(ref Domain domain, uint port)
    {
        Interlocked.And(ref MaskWord(ref domain, port), ~Bit(port));
        if ((Volatile.Read(ref PendingWord(ref domain, port)) & Bit(port)) == 0)
        {
            return;
        }

        ref Vcpu vcpu = ref VcpuTable.At(domain.VcpuIndex(domain.Events.At(port).Vcpu));
        if (VcpuInfoPage.MarkPending(ref vcpu, (int)(port / BitsPerWord)))
        {
            Scheduler.Wake(ref vcpu);
        }
    }

    internal static bool IsPending(ref Domain domain, uint port) => (Volatile.Read(ref PendingWord(ref domain, port)) & Bit(port)) != 0;

    private static ulong Bit(uint port) => 1UL << (int)(port % BitsPerWord);

    private static ref ulong PendingWord(ref Domain domain, uint port)
        => ref PhysicalMemory.Word(domain.SharedInfo, (SharedInfoLayout.EventPending / 8) + ((int)(port / BitsPerWord) & 63));

    private static ref ulong MaskWord(ref Domain domain, uint port)
        => ref PhysicalMemory.Word(domain.SharedInfo, (SharedInfoLayout.EventMask / 8) + ((int)(port / BitsPerWord) & 63));
}
