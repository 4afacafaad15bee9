// Closing event channels.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Platform;

namespace Xenolith.Hypervisor.EventChannels;

/// <summary>A port that closes lets go of what it was bound to; the peer of an interdomain port waits for its domain again.</summary>
internal static class PortClosing
{
    /// <summary>Closes a port that is open.</summary>
    internal static void Close(ref Domain domain, uint port)
    {
        EventChannel channel = domain.Events.At(port);
        switch (channel.State)
        {
            case EventChannelState.Virq:
                VcpuTable.At(domain.VcpuIndex(VirqVcpu(ref domain, channel, port))).Events.Virqs[(int)channel.Number] = 0;
                break;
            case EventChannelState.Pirq:
                Pirqs.Unbind(ref domain, channel.Number);
                break;
            case EventChannelState.Interdomain when DomainTable.IsTaken(channel.RemoteDomain):
                ref EventChannel peer = ref DomainTable.At(channel.RemoteDomain).Events.At(channel.Number);
                peer.State = EventChannelState.Unbound;
                peer.RemoteDomain = domain.Id;
                break;
            default:
                break;
        }

        EventPorts.Free(ref domain, port);
    }

    /// <summary>Closes all ports from <paramref name="cursor"/> on. False: preempted, the cursor says where.</summary>
    internal static bool TryCloseAll(ref Domain domain, ref ulong cursor, ref Preemption preemption)
    {
        bool hasClosed = false;
        for (uint port = Math.Max((uint)cursor, 1); port < (uint)domain.Events.Capacity; port++)
        {
            if (!EventPorts.IsOpen(ref domain, port))
            {
                continue;
            }

            if (hasClosed && preemption.IsNeeded)
            {
                cursor = port;
                return false;
            }

            Close(ref domain, port);
            hasClosed = true;
        }

        return true;
    }

    /// <summary>A global VIRQ may be told to another vcpu than the one it was bound through.</summary>
    private static uint VirqVcpu(ref Domain domain, EventChannel channel, uint port)
        => VcpuTable.At(domain.VcpuIndex(0)).Events.Virqs[(int)channel.Number] == port ? 0u : channel.Vcpu;
}
