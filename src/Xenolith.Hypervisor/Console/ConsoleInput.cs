// Input of the serial port: Domain 0's, another domain's, or the hypervisor's debug keys.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Console;

/// <summary>
/// Ctrl-A three times hands the keys on: from Domain 0 to each boot-time domain with a console in turn, then to the hypervisor, then to
/// Domain 0 again.
/// </summary>
internal static class ConsoleInput
{
    private const byte SwitchKey = 1;
    private const int SwitchCount = 3;
    private const int BufferBytes = 1024;
    private const int ToHypervisor = -1;
    private const int ToDomain0 = 0;

    private static Storage s_buffer;
    private static uint s_head;
    private static uint s_tail;
    private static int s_switchKeys;

    /// <summary>Whom the keys go to: the slot of a domain's console, or one of the constants above.</summary>
    private static int s_target;

    // The hypervisor has the keys because the last domain that took any has ended; nobody has asked for that.
    private static bool s_isLeftOver;

    /// <summary>The port's interrupt: takes what has arrived.</summary>
    internal static void OnInterrupt()
    {
        bool arrived = false;
        while (Uart.TryReceive(out byte value))
        {
            arrived |= Take(value);
        }

        if (!arrived)
        {
            return;
        }

        if (s_target > 0)
        {
            DomainConsoles.NotifyInput(s_target);
        }
        else if (DomainTable.Exists(DomainIds.Domain0))
        {
            EventPorts.RaiseGlobalVirq(ref DomainTable.At(DomainIds.Domain0), VirtualIrq.Console);
        }
    }

    /// <summary>Without Domain 0 the keys go to the first domain that takes any.</summary>
    internal static void ChooseFirst()
    {
        if (!DomainTable.Exists(DomainIds.Domain0))
        {
            SetTarget(Next(ToDomain0));
        }
    }

    /// <summary>A domain's console is gone: the keys go to whoever comes after it.</summary>
    internal static void OnClosed(int slot)
    {
        if (s_target == slot)
        {
            SetTarget(DomainTable.Exists(DomainIds.Domain0) ? ToDomain0 : Next(slot));
            s_isLeftOver = s_target == ToHypervisor;
            Announce();
        }
    }

    /// <summary>A domain has been started again: keys that nobody was left to take are its own.</summary>
    internal static void OnStarted(int slot)
    {
        if (s_isLeftOver && s_target == ToHypervisor)
        {
            SetTarget(slot);
            Announce();
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

    /// <summary>True when bytes have come for a domain. Switch keys are held back until it is clear that they switch nothing.</summary>
    private static bool Take(byte value)
    {
        if (value == SwitchKey && ++s_switchKeys < SwitchCount)
        {
            return false;
        }

        if (s_switchKeys == SwitchCount)
        {
            s_switchKeys = 0;
            s_isLeftOver = false;
            SetTarget(Next(s_target));
            Announce();
            return false;
        }

        int held = s_switchKeys;
        s_switchKeys = 0;
        if (s_target == ToHypervisor)
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

    /// <summary>Who has the keys after a target.</summary>
    private static int Next(int target)
    {
        if (target == ToHypervisor && DomainTable.Exists(DomainIds.Domain0))
        {
            return ToDomain0;
        }

        int slot = DomainConsoles.Next(Math.Max(target, 0));
        return slot != 0 ? slot : ToHypervisor;
    }

    private static void SetTarget(int target)
    {
        s_target = target;
        DomainConsoles.SetInteractive(Math.Max(target, 0));
    }

    private static void Announce()
    {
        ConsoleOutput.StartLine();
        Log line = Log.Always("console"u8).Text("input goes to "u8);
        if (s_target > 0)
        {
            line = line.Text("domain '"u8).Text(DomainConsoles.NameAt(s_target)).Text("' (Ctrl-A three times to switch)"u8);
        }
        else
        {
            line = line.Text(s_target == ToHypervisor ? "the hypervisor (h for help, Ctrl-A three times to switch)"u8 : "Domain 0 (Ctrl-A three times to switch)"u8);
        }

        line.End();
        DomainConsoles.ShowInteractive();
    }

    private static void Put(byte value)
    {
        if (s_target > 0)
        {
            DomainConsoles.PutInput(s_target, value);
        }
        else if (s_head - s_tail < BufferBytes)
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
