// What two-level event channels must do, written down as simply as possible.
using System.Collections.Generic;
using Xenolith.Abi;

namespace Xenolith.UnitTests.EventChannels;

/// <summary>The event channels of one domain that only talks to itself (public event_channel.h).</summary>
internal sealed class EventModel(int vcpus)
{
    internal const int Ports = 4096;
    internal const int Free = 0;
    internal const int Unbound = 1;
    internal const int Interdomain = 2;
    internal const int Virq = 4;
    internal const int Ipi = 5;

    private static readonly uint[] s_perVcpu = [(uint)VirtualIrq.Timer, (uint)VirtualIrq.Debug, (uint)VirtualIrq.Xenoprof, (uint)VirtualIrq.XenPmu];

    internal Channel[] Channels { get; } = new Channel[Ports];

    internal bool[] Pending { get; } = new bool[Ports];

    internal bool[] Masked { get; } = new bool[Ports];

    internal Processor[] Vcpus { get; } = new Processor[vcpus];

    internal static bool IsPerVcpu(uint virq) => Array.IndexOf(s_perVcpu, virq) >= 0;

    internal bool IsOpen(uint port) => port < Ports && Channels[port].State != Free;

    /// <summary>The port that a new channel gets, or the error.</summary>
    internal (XenError Error, uint Port) Open(Channel channel)
    {
        for (uint port = 1; port < Ports; port++)
        {
            if (Channels[port].State == Free)
            {
                Channels[port] = channel;
                return (XenError.None, port);
            }
        }

        return (XenError.NoSpace, 0);
    }

    internal (XenError Error, uint Port) BindVirq(uint virq, uint vcpu)
    {
        if (virq >= (uint)VirtualIrq.Count || (!IsPerVcpu(virq) && vcpu != 0))
        {
            return (XenError.Invalid, 0);
        }

        if (vcpu >= Vcpus.Length)
        {
            return (XenError.NoEntry, 0);
        }

        foreach (Channel channel in Channels)
        {
            if (channel.State == Virq && channel.Number == virq && channel.BoundThrough == vcpu)
            {
                return (XenError.Exists, 0);
            }
        }

        return Open(new Channel(Virq, vcpu, virq, vcpu));
    }

    internal (XenError Error, uint Port) BindInterdomain(uint remote)
    {
        if (!IsOpen(remote) || Channels[remote].State != Unbound)
        {
            return (XenError.Invalid, 0);
        }

        (XenError error, uint port) = Open(new Channel(Interdomain, 0, remote, 0));
        if (error == XenError.None)
        {
            Channels[remote] = Channels[remote] with { State = Interdomain, Number = port };
            Raise(port);
        }

        return (error, port);
    }

    internal XenError Close(uint port)
    {
        if (!IsOpen(port))
        {
            return XenError.Invalid;
        }

        if (Channels[port].State == Interdomain)
        {
            uint peer = Channels[port].Number;
            Channels[peer] = Channels[peer] with { State = Unbound, Number = 0 };
        }

        Channels[port] = default;
        Pending[port] = false;
        return XenError.None;
    }

    internal XenError Send(uint port)
    {
        if (!IsOpen(port) || Channels[port].State == Virq)
        {
            return XenError.Invalid;
        }

        switch (Channels[port].State)
        {
            case Interdomain: Raise(Channels[port].Number); break;
            case Ipi: Raise(port); break;
        }

        return XenError.None;
    }

    internal XenError BindVcpu(uint port, uint vcpu)
    {
        if (vcpu >= Vcpus.Length)
        {
            return XenError.NoEntry;
        }

        if (!IsOpen(port) || Channels[port].State == Ipi || (Channels[port].State == Virq && IsPerVcpu(Channels[port].Number)))
        {
            return XenError.Invalid;
        }

        Channels[port] = Channels[port] with { Vcpu = vcpu };
        return XenError.None;
    }

    internal void RaiseVirq(uint virq, uint vcpu)
    {
        for (uint port = 1; port < Ports; port++)
        {
            if (Channels[port].State == Virq && Channels[port].Number == virq && Channels[port].BoundThrough == vcpu)
            {
                Raise(port);
            }
        }
    }

    internal XenError Unmask(uint port)
    {
        if (!IsOpen(port))
        {
            return XenError.Invalid;
        }

        Masked[port] = false;
        if (Pending[port])
        {
            Tell(Channels[port].Vcpu, port);
        }

        return XenError.None;
    }

    internal void Block(uint vcpu)
    {
        Vcpus[vcpu].UpcallMask = false;
        Vcpus[vcpu].IsBlocked = !Vcpus[vcpu].UpcallPending;
    }

    /// <summary>SCHEDOP_poll without a timeout.</summary>
    internal XenError Poll(uint vcpu, IReadOnlyList<uint> ports)
    {
        foreach (uint port in ports)
        {
            if (port >= Ports)
            {
                return XenError.Invalid;
            }

            if (Pending[port])
            {
                return XenError.None;
            }
        }

        ref Processor poller = ref Vcpus[vcpu];
        if (!poller.UpcallPending || poller.UpcallMask)
        {
            poller.IsBlocked = true;
            poller.IsPolling = true;
            poller.Polled = ports.Count == 1 ? ports[0] : 0;
        }

        return XenError.None;
    }

    /// <summary>The guest's handler on one vcpu: takes the words that the selector names, clears what is not masked.</summary>
    internal void Handle(uint vcpu)
    {
        Vcpus[vcpu].UpcallPending = false;
        ulong selector = Vcpus[vcpu].Selector;
        Vcpus[vcpu].Selector = 0;
        for (uint port = 0; port < Ports; port++)
        {
            if ((selector & (1UL << (int)(port / 64))) != 0 && !Masked[port])
            {
                Pending[port] = false;
            }
        }
    }

    private void Raise(uint port)
    {
        if (Pending[port])
        {
            return;
        }

        Pending[port] = true;
        if (!Masked[port])
        {
            Tell(Channels[port].Vcpu, port);
        }

        for (uint vcpu = 0; vcpu < Vcpus.Length; vcpu++)
        {
            if (Vcpus[vcpu].IsPolling && (Vcpus[vcpu].Polled == 0 || Vcpus[vcpu].Polled == port))
            {
                Wake(vcpu);
            }
        }
    }

    private void Tell(uint vcpu, uint port)
    {
        ulong bit = 1UL << (int)(port / 64);
        if ((Vcpus[vcpu].Selector & bit) != 0)
        {
            return;
        }

        Vcpus[vcpu].Selector |= bit;
        if (!Vcpus[vcpu].UpcallPending)
        {
            Vcpus[vcpu].UpcallPending = true;
            Wake(vcpu);
        }
    }

    private void Wake(uint vcpu)
    {
        Vcpus[vcpu].IsBlocked = false;
        Vcpus[vcpu].IsPolling = false;
    }

    /// <summary>One port.</summary>
    /// <param name="State">ECS_*.</param>
    /// <param name="Vcpu">Which vcpu is told.</param>
    /// <param name="Number">Interdomain: the peer's port; VIRQ: its number.</param>
    /// <param name="BoundThrough">VIRQ: the vcpu of bind_virq.</param>
    internal readonly record struct Channel(int State, uint Vcpu, uint Number, uint BoundThrough);

    /// <summary>One vcpu.</summary>
    internal struct Processor
    {
        internal bool UpcallPending;
        internal bool UpcallMask;
        internal ulong Selector;
        internal bool IsBlocked;
        internal bool IsPolling;
        internal uint Polled;
    }
}
