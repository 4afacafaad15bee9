// event_channel_op.
using Xenolith.Abi;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 32. RDI = operation, RSI = arguments (public event_channel.h).</summary>
internal static class EventChannelOpHypercall
{
    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        GuestAddress at = new(call.Argument1);
        if (call.Argument0 == 10)
        {
            return Reset(ref call, at);
        }

        XenError error = call.Argument0 switch
        {
            0 => BindInterdomain(ref call, at),
            1 => BindVirq(ref call, at),
            2 => BindPirq(ref call, at),
            3 => Close(ref call, at),
            4 => Send(ref call, at),
            5 => Status(ref call, at),
            6 => AllocateUnbound(ref call, at),
            7 => BindIpi(ref call, at),
            8 => BindVcpu(ref call, at),
            9 => Unmask(ref call, at),

            // FIFO channels (11 init_control, 12 expand_array, 13 set_priority): a guest that is told so keeps to the two levels.
            _ => XenError.NotImplemented,
        };
        return HypercallResult.From(error);
    }

    private static XenError BindInterdomain(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ushort remoteId) || !GuestMemory.TryRead(at.Add(4), out uint remotePort))
        {
            return XenError.Fault;
        }

        remoteId = remoteId == DomainIds.Self ? call.Vcpu.DomainId : remoteId;
        if (!DomainTable.Exists(remoteId))
        {
            return XenError.NoSuchDomain;
        }

        ref Domain remote = ref DomainTable.At(remoteId);
        if (!EventPorts.IsOpen(ref remote, remotePort))
        {
            return XenError.Invalid;
        }

        ref EventChannel peer = ref remote.Events.At(remotePort);
        if (peer.State != EventChannelState.Unbound || peer.RemoteDomain != call.Vcpu.DomainId)
        {
            return XenError.Invalid;
        }

        XenError error = EventPorts.TryAllocate(ref call.Domain, out uint port);
        if (error != XenError.None)
        {
            return error;
        }

        EventPorts.Open(ref call.Domain, port, EventChannelState.Interdomain, 0, remoteId, remotePort);
        peer.RemoteDomain = call.Vcpu.DomainId;
        peer.Number = port;
        peer.State = EventChannelState.Interdomain;

        // A notification sent before the binding would otherwise be lost.
        EventPorts.SetPending(ref call.Domain, port);
        return Store(at.Add(8), port);
    }

    private static XenError BindVirq(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint virq) || !GuestMemory.TryRead(at.Add(4), out uint vcpuId))
        {
            return XenError.Fault;
        }

        if (virq >= (uint)VirtualIrq.Count || (GlobalVirqs.IsGlobal(virq) && vcpuId != 0))
        {
            return XenError.Invalid;
        }

        int index = call.Domain.VcpuIndex(vcpuId);
        if (index < 0)
        {
            return XenError.NoEntry;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        if (vcpu.Events.Virqs[(int)virq] != 0)
        {
            return XenError.Exists;
        }

        XenError error = EventPorts.TryAllocate(ref call.Domain, out uint port);
        if (error != XenError.None)
        {
            return error;
        }

        EventPorts.Open(ref call.Domain, port, EventChannelState.Virq, vcpuId, 0, virq);
        vcpu.Events.Virqs[(int)virq] = port;
        return Store(at.Add(8), port);
    }

    private static XenError BindPirq(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint pirq))
        {
            return XenError.Fault;
        }

        XenError error = EventPorts.TryAllocate(ref call.Domain, out uint port);
        if (error == XenError.None)
        {
            error = Pirqs.TryBind(ref call.Domain, pirq, port);
        }

        if (error != XenError.None)
        {
            return error;
        }

        EventPorts.Open(ref call.Domain, port, EventChannelState.Pirq, 0, 0, pirq);
        return Store(at.Add(8), port);
    }

    private static XenError Close(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint port))
        {
            return XenError.Fault;
        }

        if (!EventPorts.IsOpen(ref call.Domain, port))
        {
            return XenError.Invalid;
        }

        PortClosing.Close(ref call.Domain, port);
        return XenError.None;
    }

    private static XenError Send(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint port))
        {
            return XenError.Fault;
        }

        if (!EventPorts.IsOpen(ref call.Domain, port))
        {
            return XenError.Invalid;
        }

        ref EventChannel channel = ref call.Domain.Events.At(port);
        switch (channel.State)
        {
            case EventChannelState.Interdomain:
                EventPorts.Notify(ref call.Domain, port);
                return XenError.None;
            case EventChannelState.Ipi:
                if (channel.Vcpu == call.Vcpu.Id)
                {
                    SelfEvents.Note(ref call.Vcpu);
                }

                EventPorts.SetPending(ref call.Domain, port);
                return XenError.None;
            case EventChannelState.Unbound:
                if (channel.RemoteDomain == DomainIds.Xen)
                {
                    DomainConsoles.OnEvent(ref call.Domain, port);
                }

                return XenError.None;
            default:
                return XenError.Invalid;
        }
    }

    private static XenError Status(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ushort requested) || !GuestMemory.TryRead(at.Add(4), out uint port))
        {
            return XenError.Fault;
        }

        XenError error = DomainControl.TryServe(ref call.Domain, requested, out ushort id);
        if (error != XenError.None)
        {
            return error;
        }

        ref Domain domain = ref DomainTable.At(id);
        if (port >= DomainEvents.MaximumPorts)
        {
            return XenError.Invalid;
        }

        EventChannel channel = EventPorts.IsOpen(ref domain, port) ? domain.Events.At(port) : default;
        bool done = GuestMemory.TryWrite(at.Add(8), (uint)channel.State) && GuestMemory.TryWrite(at.Add(12), (uint)channel.Vcpu);
        done = done && channel.State switch
        {
            EventChannelState.Unbound => GuestMemory.TryWrite(at.Add(16), channel.RemoteDomain),
            EventChannelState.Interdomain => GuestMemory.TryWrite(at.Add(16), channel.RemoteDomain) && GuestMemory.TryWrite(at.Add(20), channel.Number),
            EventChannelState.Pirq or EventChannelState.Virq => GuestMemory.TryWrite(at.Add(16), channel.Number),
            _ => true,
        };
        return done ? XenError.None : XenError.Fault;
    }

    private static XenError AllocateUnbound(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ushort requested) || !GuestMemory.TryRead(at.Add(2), out ushort remote))
        {
            return XenError.Fault;
        }

        XenError error = DomainControl.TryServe(ref call.Domain, requested, out ushort id);
        if (error != XenError.None)
        {
            return error;
        }

        ref Domain domain = ref DomainTable.At(id);
        error = EventPorts.TryAllocate(ref domain, out uint port);
        if (error != XenError.None)
        {
            return error;
        }

        EventPorts.Open(ref domain, port, EventChannelState.Unbound, 0, remote == DomainIds.Self ? call.Vcpu.DomainId : remote, 0);
        return Store(at.Add(4), port);
    }

    private static XenError BindIpi(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint vcpuId))
        {
            return XenError.Fault;
        }

        if (call.Domain.VcpuIndex(vcpuId) < 0)
        {
            return XenError.NoEntry;
        }

        XenError error = EventPorts.TryAllocate(ref call.Domain, out uint port);
        if (error != XenError.None)
        {
            return error;
        }

        EventPorts.Open(ref call.Domain, port, EventChannelState.Ipi, vcpuId, 0, 0);
        return Store(at.Add(4), port);
    }

    private static XenError BindVcpu(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint port) || !GuestMemory.TryRead(at.Add(4), out uint vcpuId))
        {
            return XenError.Fault;
        }

        if (call.Domain.VcpuIndex(vcpuId) < 0)
        {
            return XenError.NoEntry;
        }

        if (!EventPorts.IsOpen(ref call.Domain, port))
        {
            return XenError.Invalid;
        }

        ref EventChannel channel = ref call.Domain.Events.At(port);
        if (channel.State == EventChannelState.Ipi || (channel.State == EventChannelState.Virq && !GlobalVirqs.IsGlobal(channel.Number)))
        {
            return XenError.Invalid;
        }

        channel.Vcpu = (ushort)vcpuId;
        return XenError.None;
    }

    private static XenError Unmask(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint port))
        {
            return XenError.Fault;
        }

        if (!EventPorts.IsOpen(ref call.Domain, port))
        {
            return XenError.Invalid;
        }

        EventPorts.Unmask(ref call.Domain, port);
        return XenError.None;
    }

    /// <summary>Closes all ports of the caller or of a domain that it controls; ports that are closed already cost a restart nothing.</summary>
    private static HypercallResult Reset(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ushort requested))
        {
            return HypercallResult.From(XenError.Fault);
        }

        XenError error = DomainControl.TryServe(ref call.Domain, requested, out ushort id);
        if (error != XenError.None)
        {
            return HypercallResult.From(error);
        }

        ulong cursor = 0;
        Preemption preemption = Preemption.Start();
        return PortClosing.TryCloseAll(ref DomainTable.At(id), ref cursor, ref preemption) ? HypercallResult.Success : HypercallResult.Continue;
    }

    private static XenError Store(GuestAddress at, uint port) => GuestMemory.TryWrite(at, port) ? XenError.None : XenError.Fault;
}
