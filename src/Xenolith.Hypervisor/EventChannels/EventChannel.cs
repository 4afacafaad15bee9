// One port of a domain.
using System.Runtime.InteropServices;

namespace Xenolith.Hypervisor.EventChannels;

/// <summary>State of an event channel, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EventChannel
{
    public EventChannelState State;
    public byte Reserved;

    /// <summary>Vcpu id that is told.</summary>
    public ushort Vcpu;

    /// <summary>Unbound: who may bind; interdomain: the peer.</summary>
    public ushort RemoteDomain;
    public ushort Padding;

    /// <summary>Interdomain: the peer's port; PIRQ and VIRQ: their number.</summary>
    public uint Number;
    public uint Padding2;
}

/// <summary>ECS_*: values as EVTCHNOP_status reports them.</summary>
public enum EventChannelState : byte
{
    Free = 0, Unbound = 1, Interdomain = 2, Pirq = 3, Virq = 4, Ipi = 5,
}
