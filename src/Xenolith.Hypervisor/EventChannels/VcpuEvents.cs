// What a vcpu has to do with events.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.EventChannels;

/// <summary>Where its vcpu_info is, which port each of its VIRQs has, and what it polls for.</summary>
public struct VcpuEvents
{
    public Mfn InfoFrame;
    public int InfoOffset;

    /// <summary>VCPUOP_register_vcpu_info has been done; it can be done once.</summary>
    public bool IsRegistered;

    /// <summary>Waiting in SCHEDOP_poll for <see cref="PolledPort"/>; 0 = any of several.</summary>
    public bool IsPolling;
    public uint PolledPort;

    /// <summary>Events that it has sent to itself in one stream, and when the last was sent, in nanoseconds since boot.</summary>
    public uint SelfCount;
    public ulong SelfLast;

    public VirqPorts Virqs;

    /// <summary>Port of each VIRQ, 0 = not bound.</summary>
    [InlineArray((int)VirtualIrq.Count)]
    public struct VirqPorts
    {
        private uint _first;
    }
}
