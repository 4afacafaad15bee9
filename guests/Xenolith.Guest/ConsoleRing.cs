// The console ring of an unprivileged domain.
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>struct xencons_interface (public io/console.h), the half for output.</summary>
internal static unsafe class ConsoleRing
{
    private const int Output = 1024;
    private const int Consumed = 3080;
    private const int Produced = 3084;
    private const uint Bytes = 2048;

    private static byte* s_page;

    private static byte* Page
    {
        get
        {
            if (s_page == null)
            {
                s_page = (byte*)Memory.Address(*(ulong*)(Memory.StartInfo + StartInfoLayout.ConsoleMfn));
            }

            return s_page;
        }
    }

    /// <summary>Waits for room; nothing happens in a domain without a ring.</summary>
    internal static void Write(byte* text, int length)
    {
        uint port = *(uint*)(Memory.StartInfo + StartInfoLayout.ConsoleEventChannel);
        if ((*(uint*)(Memory.StartInfo + StartInfoLayout.Flags) & StartInfoLayout.InitialDomain) != 0)
        {
            return;
        }

        byte* ring = Page;
        ref uint produced = ref *(uint*)(ring + Produced);
        for (int i = 0; i < length; i++)
        {
            while (produced - Volatile.Read(ref *(uint*)(ring + Consumed)) >= Bytes)
            {
                Events.Send(port);
                Xen.Call(HypercallNumber.SchedOp, 0);
            }

            ring[Output + (int)(produced % Bytes)] = text[i];
            Volatile.Write(ref produced, produced + 1);
        }

        Events.Send(port);
    }

    /// <summary>Calls all of the ring new output, whatever it holds.</summary>
    internal static void Claim()
    {
        byte* ring = Page;
        Volatile.Write(ref *(uint*)(ring + Produced), Volatile.Read(ref *(uint*)(ring + Consumed)) + Bytes);
    }
}
