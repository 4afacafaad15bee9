// events: binding, sending, masks, delivery, status and closing of two-level event channels.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class EventsProgram
{
    private static uint s_port;
    private static ulong s_bit;

    [RuntimeExport("guest_events")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        Traps.Callbacks();
        Bind();
        Delivery();
        Masks();
        FromUserMode();
        Loopback();
        Status();
        Errors();
        Many();
    }

    private static void Bind()
    {
        long port = Events.BindIpi(0);
        Report.Check(port > 0 && port < 64, "an IPI port"u8);
        s_port = (uint)port;
        s_bit = 1UL << (int)port;
        Report.Result(Events.BindIpi(9), XenError.NoEntry, "an IPI port of no vcpu"u8);
        Report.Result(Events.BindIpi(0xFFFF_FFFF), XenError.NoEntry, "an IPI port of vcpu -1"u8);
    }

    private static void Delivery()
    {
        Events.Forget();
        Events.PortMask &= ~s_bit;
        Report.Result(Events.Send(s_port), XenError.None, "send"u8);
        Report.Same(Events.Pending & s_bit, s_bit, "the pending bit"u8);
        Report.Same(Events.Selector & 1, 1, "the selector"u8);
        Report.Same(Events.UpcallPending, 1, "the upcall is pending"u8);
        Report.Same(Events.Upcalls, 0, "events are closed"u8);
        Events.Open();
        Report.Same(Events.Upcalls, 1, "one upcall"u8);
        Report.Same(Events.Seen, s_bit, "the port"u8);
        Report.Check(!Events.LastUpcall.EventsWereMasked, "events were open"u8);
        Report.Same(Events.LastUpcall.Cs & 0xFFFF, 0xE030, "cs of the upcall"u8);
        Report.Same(Events.LastUpcall.Rflags & 0x200, 0x200, "IF of the upcall"u8);
        Report.Same(Events.Mask, 0, "events are open again"u8);
        Report.Result(Events.Send(s_port), XenError.None, "send with events open"u8);
        Report.Same(Events.Upcalls, 2, "it comes at once"u8);
        Events.Close();
    }

    private static void Masks()
    {
        Events.Forget();
        Events.MaskPort(s_port);
        Report.Result(Events.Send(s_port), XenError.None, "send to a masked port"u8);
        Report.Same(Events.Pending & s_bit, s_bit, "the pending bit"u8);
        Report.Same(Events.UpcallPending, 0, "no upcall"u8);
        Report.Result(Events.Send(s_port), XenError.None, "send once more"u8);
        Report.Result(Events.Unmask(s_port), XenError.None, "unmask"u8);
        Report.Same(Events.PortMask & s_bit, 0, "the mask bit"u8);
        Report.Same(Events.UpcallPending, 1, "the upcall is pending now"u8);
        Events.Open();
        Report.Same(Events.Upcalls, 1, "one upcall for two sends"u8);
        Events.MaskPort(s_port);
        Events.Send(s_port);
        Report.Result(Events.Unmask(s_port), XenError.None, "unmask with events open"u8);
        Report.Same(Events.Upcalls, 2, "it comes at once"u8);
        Report.Result(Events.Unmask(s_port), XenError.None, "unmask with nothing pending"u8);
        Report.Same(Events.Upcalls, 2, "nothing comes"u8);
        Report.Result(Events.Unmask(4096), XenError.Invalid, "unmask of no port"u8);
        Report.Result(Events.Unmask(0xFFFF_FFFF), XenError.Invalid, "unmask of port -1"u8);
        Events.Close();
    }

    private static void FromUserMode()
    {
        UserSpace.Start();
        Events.Forget();
        Events.Send(s_port);

        // The event is taken before the user's first instruction.
        UserSpace.Load([0xCC]);
        IretContext frame = UserSpace.Frame();
        Report.Same(Traps.Leave(ref frame), 3, "into user mode with an event pending"u8);
        Report.Same(Events.Upcalls, 1, "the event came"u8);
        Report.Same(Events.LastUpcall.Rip, UserSpace.CodeAddress, "before the first instruction"u8);
        Report.Same(Events.LastUpcall.Cs & 0xFFFF, 0xE033, "from user mode"u8);
        Events.Close();
        Events.Send(s_port);
        frame.Rflags = 0x2;
        Traps.Leave(ref frame);
        Report.Same(Events.Upcalls, 1, "with IF clear it does not come"u8);
        Events.Open();
        Report.Same(Events.Upcalls, 2, "it comes when events are opened"u8);
        Events.Close();
    }

    /// <summary>Two ports of the domain that are each other's ends.</summary>
    private static void Loopback()
    {
        uint* argument = stackalloc uint[4];
        argument[0] = DomainIds.Self | ((uint)DomainIds.Self << 16);
        argument[1] = 0;
        Report.Result(Xen.EventChannel(6, argument), XenError.None, "alloc_unbound"u8);
        uint first = argument[1];
        Report.Result(Events.Send(first), XenError.None, "send to nobody"u8);
        argument[0] = DomainIds.Self;
        argument[1] = first;
        argument[2] = 0;
        Report.Result(Xen.EventChannel(0, argument), XenError.None, "bind_interdomain"u8);
        uint second = argument[2];
        Report.Check(second != first, "a port of its own"u8);
        Report.Same((Events.Pending >> (int)second) & 1, 1, "it begins pending"u8);
        argument[1] = first;
        Report.Result(Xen.EventChannel(0, argument), XenError.Invalid, "bind_interdomain to a bound port"u8);
        Events.Pending = 0;
        Report.Result(Events.Send(first), XenError.None, "send to the other end"u8);
        Report.Same(Events.Pending, 1UL << (int)second, "the other end is pending"u8);
        Report.Result(Events.ClosePort(second), XenError.None, "close one end"u8);
        Report.Same((ulong)StatusOf(first), 1, "the other end is unbound"u8);
        Report.Result(Events.ClosePort(first), XenError.None, "close the other end"u8);
        Report.Result(Events.ClosePort(first), XenError.Invalid, "close it twice"u8);
        Events.Pending = 0;
        Events.UpcallPending = 0;
    }

    private static long StatusOf(uint port)
    {
        uint* argument = stackalloc uint[6];
        argument[0] = DomainIds.Self;
        argument[1] = port;
        argument[2] = 99;
        long result = Xen.EventChannel(5, argument);
        return result != 0 ? result : argument[2];
    }

    private static void Status()
    {
        Report.Same((ulong)StatusOf(s_port), 5, "status of the IPI port"u8);
        Report.Same((ulong)StatusOf(60), 0, "status of a closed port"u8);
        Report.Result(StatusOf(0xFFFF_FFFF), XenError.Invalid, "status of port -1"u8);
        long debug = Events.BindVirq((uint)VirtualIrq.Debug, 0);
        Report.Check(debug > 0, "a VIRQ"u8);
        Report.Same((ulong)StatusOf((uint)debug), 4, "status of the VIRQ's port"u8);
        Report.Result(Events.BindVirq((uint)VirtualIrq.Debug, 0), XenError.Exists, "the VIRQ once more"u8);
        Report.Result(Events.Send((uint)debug), XenError.Invalid, "send to a VIRQ's port"u8);
        Report.Result(Events.ClosePort((uint)debug), XenError.None, "close it"u8);
        Report.Check(Events.BindVirq((uint)VirtualIrq.Debug, 0) > 0, "the VIRQ can be bound again"u8);
        Report.Result(Events.BindVirq(24, 0), XenError.Invalid, "VIRQ 24"u8);
        Report.Result(Events.BindVirq(0xFFFF_FFFF, 0), XenError.Invalid, "VIRQ -1"u8);
        Report.Result(Events.BindVirq((uint)VirtualIrq.Timer, 40), XenError.NoEntry, "a VIRQ of no vcpu"u8);
    }

    private static void Errors()
    {
        Report.Result(Events.Send(0), XenError.Invalid, "send to port 0"u8);
        Report.Result(Events.Send(63), XenError.Invalid, "send to a closed port"u8);
        Report.Result(Events.Send(0xFFFF_FFFF), XenError.Invalid, "send to port -1"u8);
        Report.Result(Events.ClosePort(0), XenError.Invalid, "close port 0"u8);
        Report.Result(Events.ClosePort(4095), XenError.Invalid, "close a closed port"u8);
        uint* argument = stackalloc uint[4];
        argument[0] = s_port;
        argument[1] = 0;
        Report.Result(Xen.EventChannel(8, argument), XenError.Invalid, "an IPI port cannot move"u8);
        argument[0] = 7 | ((uint)DomainIds.Self << 16);
        Report.Result(Xen.EventChannel(6, argument), XenError.NoSuchDomain, "alloc_unbound in no domain"u8);
        argument[0] = 7;
        argument[1] = 1;
        Report.Result(Xen.EventChannel(0, argument), XenError.NoSuchDomain, "bind_interdomain to no domain"u8);
        argument[0] = DomainIds.Self;
        argument[1] = 0xFFFF_FFFF;
        Report.Result(Xen.EventChannel(0, argument), XenError.Invalid, "bind_interdomain to port -1"u8);
        for (uint operation = 0; operation < 10; operation++)
        {
            Report.Result(Xen.EventChannel(operation, (void*)0x1234_5678_9000), XenError.Fault, "an argument that is not there"u8);
        }

        Report.Result(Xen.EventChannel(99, argument), XenError.NotImplemented, "an unknown operation"u8);
    }

    /// <summary>Ports run out at the end of the bitmaps and not behind it.</summary>
    private static void Many()
    {
        long last = 0;
        int count = 0;
        while (count < 5000)
        {
            long port = Events.BindIpi(0);
            if (port < 0)
            {
                Report.Result(port, XenError.NoSpace, "no ports left"u8);
                break;
            }

            last = port;
            count++;
        }

        Report.Same((ulong)last, 4095, "the last port"u8);
        for (uint port = 64; port < 4096; port++)
        {
            if (Events.ClosePort(port) != 0)
            {
                Report.Result(Events.ClosePort(port), XenError.None, "close"u8);
                break;
            }
        }
    }
}
