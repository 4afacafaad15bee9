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

    /// <summary>Waits for room; nothing happens in a domain without a ring.</summary>
    internal static void Write(byte* text, int length)
    {
        ulong frame = *(ulong*)(Memory.StartInfo + StartInfoLayout.ConsoleMfn);
        uint port = *(uint*)(Memory.StartInfo + StartInfoLayout.ConsoleEventChannel);
        if ((*(uint*)(Memory.StartInfo + StartInfoLayout.Flags) & StartInfoLayout.InitialDomain) != 0)
        {
            return;
        }

        byte* ring = (byte*)Memory.Address(frame);
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
}
