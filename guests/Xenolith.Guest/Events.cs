// Event channels by the two-level bitmaps.
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>The bits in the shared page and the upcall. Ports below 64 are all that a guest here uses.</summary>
internal static unsafe class Events
{
    private static ulong s_upcalls;
    private static ulong s_seen;
    private static TrapFrame s_lastUpcall;
    private static bool s_started;
    private static uint s_echo;
    private static uint s_echoes;
    private static bool s_endsTry;

    /// <summary>How many upcalls have come.</summary>
    internal static ulong Upcalls => Volatile.Read(ref s_upcalls);

    /// <summary>The ports whose events have been taken, as bits.</summary>
    internal static ulong Seen => Volatile.Read(ref s_seen);

    /// <summary>Where the number of upcalls is counted.</summary>
    internal static ulong* UpcallCounter
    {
        get
        {
            fixed (ulong* counter = &s_upcalls)
            {
                return counter;
            }
        }
    }

    internal static ref readonly TrapFrame LastUpcall => ref s_lastUpcall;

    /// <summary>The vcpu's event mask; 0 before Start.</summary>
    internal static byte Mask
    {
        get => s_started ? Volatile.Read(ref Memory.Shared[1]) : (byte)0;
        set => Volatile.Write(ref Memory.Shared[1], value);
    }

    internal static byte UpcallPending
    {
        get => Volatile.Read(ref Memory.Shared[0]);
        set => Volatile.Write(ref Memory.Shared[0], value);
    }

    internal static ref ulong Selector => ref *(ulong*)(Memory.Shared + 8);

    internal static ref ulong Pending => ref *(ulong*)(Memory.Shared + SharedInfoLayout.EventPending);

    internal static ref ulong PortMask => ref *(ulong*)(Memory.Shared + SharedInfoLayout.EventMask);

    /// <summary>Whether the next upcall ends the try in progress.</summary>
    internal static bool EndsTry
    {
        set => s_endsTry = value;
    }

    internal static void Start()
    {
        _ = Memory.Shared;
        s_started = true;
        for (int i = 0; i < 64; i++)
        {
            (&((ulong*)(Memory.Shared + SharedInfoLayout.EventMask))[0])[i] = ~0UL;
        }
    }

    internal static void Forget()
    {
        s_upcalls = 0;
        s_seen = 0;
    }

    /// <summary>From now on each upcall sends an event to a port of its own vcpu, until there have been so many; port 0 ends it.</summary>
    internal static void Echo(uint port, uint upcalls)
    {
        s_echoes = upcalls;
        Volatile.Write(ref s_echo, port);
    }

    /// <summary>Opens the event mask and takes what is pending.</summary>
    internal static void Open()
    {
        Mask = 0;
        Xen.Call(HypercallNumber.XenVersion);
    }

    internal static void Close() => Mask = 1;

    internal static void MaskPort(uint port) => PortMask |= 1UL << (int)port;

    internal static long Unmask(uint port) => Xen.EventChannel(9, &port);

    internal static long Send(uint port) => Xen.EventChannel(4, &port);

    internal static long ClosePort(uint port) => Xen.EventChannel(3, &port);

    /// <summary>Binds a port to interrupts among the domain's own processors; returns the port or an error.</summary>
    internal static long BindIpi(uint vcpu)
    {
        uint* argument = stackalloc uint[2];
        argument[0] = vcpu;
        argument[1] = 0;
        long result = Xen.EventChannel(7, argument);
        return result != 0 ? result : argument[1];
    }

    internal static long BindVirq(uint virq, uint vcpu)
    {
        uint* argument = stackalloc uint[3];
        argument[0] = virq;
        argument[1] = vcpu;
        argument[2] = 0;
        long result = Xen.EventChannel(1, argument);
        return result != 0 ? result : argument[2];
    }

    internal static void Upcall(TrapFrame* frame)
    {
        s_lastUpcall = *frame;
        Volatile.Write(ref s_upcalls, s_upcalls + 1);
        while (UpcallPending != 0)
        {
            UpcallPending = 0;
            Interlocked.Exchange(ref Selector, 0);
            ulong bits = Volatile.Read(ref Pending) & ~Volatile.Read(ref PortMask);
            Interlocked.And(ref Pending, ~bits);
            Volatile.Write(ref s_seen, s_seen | bits);
        }

        if (s_echo != 0 && s_upcalls < s_echoes)
        {
            Send(s_echo);
        }

        if (s_endsTry && *Native.Recover != 0)
        {
            s_endsTry = false;
            Traps.Resume(frame);
            frame->Rflags &= ~0x200UL;
        }
    }
}
