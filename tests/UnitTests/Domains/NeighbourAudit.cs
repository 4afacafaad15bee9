// What domains hold of each other, counted anew.
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Grants;
using Xenolith.UnitTests.PageTables;

namespace Xenolith.UnitTests.Domains;

/// <summary>Pins of grants against the handles of all domains, both ends of event channels, VIRQs; beside <see cref="FrameAudit"/>.</summary>
internal sealed class NeighbourAudit
{
    private readonly Dictionary<(ushort Domain, uint Reference), uint> _pins = [];

    /// <summary>Throws with a sentence at the first thing that does not add up.</summary>
    internal void Check()
    {
        _pins.Clear();
        for (int id = 0; id < DomainTable.Count; id++)
        {
            if (DomainTable.IsTaken((uint)id))
            {
                CountHandles(ref DomainTable.At(id));
                CheckPorts(ref DomainTable.At(id));
            }
        }

        int pinned = 0;
        for (int id = 0; id < DomainTable.Count; id++)
        {
            if (DomainTable.IsTaken((uint)id))
            {
                pinned += ComparePins(ref DomainTable.At(id));
            }
        }

        if (pinned != _pins.Count)
        {
            Fail($"{_pins.Count} entries of grants are mapped, {pinned} are pinned");
        }
    }

    private static void Fail(string what) => throw new AuditException(what);

    private void CountHandles(ref Domain domain)
    {
        for (uint handle = 0; handle < domain.Grants.HandleCount; handle++)
        {
            MapTrackEntry entry = domain.Grants.HandleAt(handle);
            bool writes = (entry.Flags & GrantMapFlags.ReadOnly) == 0;
            uint pins = (entry.Flags & GrantMapFlags.HostMap) == 0 ? 0 : writes ? ActiveGrant.HostWrite : ActiveGrant.HostRead;
            pins += (entry.Flags & GrantMapFlags.DeviceMap) == 0 ? 0 : writes ? ActiveGrant.DeviceWrite : ActiveGrant.DeviceRead;
            if (pins == 0)
            {
                continue;
            }

            if (!DomainTable.IsTaken(entry.DomainId) || entry.Reference >= DomainTable.At(entry.DomainId).Grants.EntryCount)
            {
                Fail($"handle {handle} of domain {domain.Id} names entry {entry.Reference} of domain {entry.DomainId}, which there is not");
            }

            ActiveGrant active = DomainTable.At(entry.DomainId).Grants.ActiveAt(entry.Reference);
            if (active.DomainId != domain.Id)
            {
                Fail($"handle {handle} of domain {domain.Id} names an entry in use by domain {active.DomainId}");
            }

            CollectionsMarshal.GetValueRefOrAddDefault(_pins, (entry.DomainId, entry.Reference), out _) += pins;
        }
    }

    private int ComparePins(ref Domain domain)
    {
        int count = 0;
        for (uint reference = 0; reference < domain.Grants.EntryCount; reference++)
        {
            uint pins = domain.Grants.ActiveAt(reference).Pins;
            _pins.TryGetValue((domain.Id, reference), out uint counted);
            if (pins != counted)
            {
                Fail($"entry {reference} of domain {domain.Id} has the pins {pins:X}, counted {counted:X}");
            }

            count += pins != 0 ? 1 : 0;
        }

        if (count != domain.Grants.PinnedEntries)
        {
            Fail($"domain {domain.Id} has {count} entries in use and counts {domain.Grants.PinnedEntries}");
        }

        return count;
    }

    private static void CheckPorts(ref Domain domain)
    {
        for (uint port = 0; port < (uint)domain.Events.Capacity; port++)
        {
            EventChannel channel = domain.Events.At(port);
            switch (channel.State)
            {
                case EventChannelState.Interdomain:
                    CheckPeer(domain.Id, port, channel);
                    break;
                case EventChannelState.Virq when VcpuTable.At(domain.VcpuIndex(VirqVcpu(channel))).Events.Virqs[(int)channel.Number] != port:
                    Fail($"VIRQ {channel.Number} of domain {domain.Id} does not know its port {port}");
                    break;
            }
        }

        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            for (int virq = 0; virq < (int)VirtualIrq.Count; virq++)
            {
                uint port = VcpuTable.At(domain.VcpuIndex(id)).Events.Virqs[virq];
                if (port != 0 && domain.Events.At(port) is not { State: EventChannelState.Virq })
                {
                    Fail($"VIRQ {virq} of domain {domain.Id} goes to port {port}, which is none of a VIRQ");
                }
            }
        }
    }

    private static void CheckPeer(ushort domain, uint port, EventChannel channel)
    {
        bool hasPeer = DomainTable.IsTaken(channel.RemoteDomain) && channel.Number < (uint)DomainTable.At(channel.RemoteDomain).Events.Capacity
            && DomainTable.At(channel.RemoteDomain).Events.At(channel.Number) is { State: EventChannelState.Interdomain } peer
            && peer.RemoteDomain == domain && peer.Number == port;
        if (!hasPeer)
        {
            Fail($"port {port} of domain {domain} is bound to port {channel.Number} of domain {channel.RemoteDomain}, which does not know it");
        }
    }

    /// <summary>A global VIRQ belongs to vcpu 0, whichever vcpu is told.</summary>
    private static uint VirqVcpu(EventChannel channel) => GlobalVirqs.IsGlobal(channel.Number) ? 0u : channel.Vcpu;
}
