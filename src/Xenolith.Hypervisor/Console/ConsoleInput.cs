// Input of the serial port: Domain 0's, or the hypervisor's debug keys.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Console;

/// <summary>Ctrl-A three times switches whom the keys go to.</summary>
internal static class ConsoleInput
{
    private const byte SwitchKey = 1;
    private const int SwitchCount = 3;
    private const int BufferBytes = 1024;

    private static Storage s_buffer;
    private static uint s_head;
    private static uint s_tail;
    private static int s_switchKeys;
    private static bool s_isForHypervisor;

    /// <summary>The port's interrupt: takes what has arrived.</summary>
    internal static void OnInterrupt()
    {
        bool arrived = false;
        while (Uart.TryReceive(out byte value))
        {
            arrived |= Take(value);
        }

        if (arrived && DomainTable.Exists(0))
        {
            EventPorts.RaiseGlobalVirq(ref DomainTable.At(0), VirtualIrq.Console);
        }
    }

    /// <summary>Next byte for Domain 0.</summary>
    internal static bool TryRead(out byte value)
    {
        value = 0;
        if (s_head == s_tail)
        {
            return false;
        }

        value = s_buffer[(int)(s_tail++ % BufferBytes)];
        return true;
    }

    /// <summary>True when bytes have come for Domain 0. Switch keys are held back until it is clear that they switch nothing.</summary>
    private static bool Take(byte value)
    {
        if (value == SwitchKey && ++s_switchKeys < SwitchCount)
        {
            return false;
        }

        if (s_switchKeys == SwitchCount)
        {
            s_switchKeys = 0;
            s_isForHypervisor = !s_isForHypervisor;
            Log.Always("console"u8).Text(s_isForHypervisor
                ? "input goes to the hypervisor (h for help, Ctrl-A three times to switch back)"u8
                : "input goes to Domain 0 (Ctrl-A three times to switch)"u8).End();
            return false;
        }

        int held = s_switchKeys;
        s_switchKeys = 0;
        if (s_isForHypervisor)
        {
            DebugKeys.Press(value);
            return false;
        }

        for (; held > 0; held--)
        {
            Put(SwitchKey);
        }

        Put(value);
        return true;
    }

    private static void Put(byte value)
    {
        if (s_head - s_tail < BufferBytes)
        {
            s_buffer[(int)(s_head++ % BufferBytes)] = value;
        }
    }

    [InlineArray(BufferBytes)]
    private struct Storage
    {
        private byte _first;
    }
}
