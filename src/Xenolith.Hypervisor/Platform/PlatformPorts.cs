// IN and OUT of guests, once their privilege is established.
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>
/// Domain 0 has the port space except what the hypervisor keeps. A refused read gives all ones, a refused write is dropped: never a
/// fault, so that drivers see absent hardware.
/// </summary>
internal static class PlatformPorts
{
    private const ushort PitControl = 0x43;
    private const ushort PitSpeaker = 0x42;
    private const ushort SpeakerGate = 0x61;
    private const ushort ClockIndex = 0x70;
    private const ushort ClockData = 0x71;
    private const ushort PciAddress = 0xCF8;
    private const ushort PciData = 0xCFC;
    private const uint PciEnable = 1u << 31;
    private const byte NmiDisable = 0x80;

    internal static uint Read(ref Domain domain, ushort port, int bytes)
    {
        uint refused = bytes == 4 ? ~0u : (1u << (bytes * 8)) - 1;
        if (!domain.IsPrivileged)
        {
            return refused;
        }

        switch (port)
        {
            case PciAddress when bytes == 4:
                return domain.Platform.PciAddress;
            case >= PciData and < PciData + 4:
                if ((domain.Platform.PciAddress & PciEnable) == 0)
                {
                    return refused;
                }

                SelectPciRegister(ref domain);
                break;
            case ClockIndex:
                return domain.Platform.ClockIndex;
            case ClockData:
                Ports.Out8(ClockIndex, domain.Platform.ClockIndex);
                break;
            case PitSpeaker or SpeakerGate when bytes == 1:
                break;
            default:
                if (IsKept(port, bytes) && !IsPmTimer(port, bytes))
                {
                    return refused;
                }

                break;
        }

        return bytes switch
        {
            1 => Ports.In8(port),
            2 => Ports.In16(port),
            _ => Ports.In32(port),
        };
    }

    internal static void Write(ref Domain domain, ushort port, int bytes, uint value)
    {
        if (!domain.IsPrivileged)
        {
            return;
        }

        switch (port)
        {
            case PciAddress when bytes == 4:
                domain.Platform.PciAddress = value;
                return;
            case >= PciData and < PciData + 4:
                if ((domain.Platform.PciAddress & PciEnable) == 0)
                {
                    return;
                }

                SelectPciRegister(ref domain);
                break;
            case ClockIndex:
                domain.Platform.ClockIndex = (byte)(value & ~(uint)NmiDisable);
                return;
            case ClockData:
                Ports.Out8(ClockIndex, domain.Platform.ClockIndex);
                break;
            case PitControl:
                // Only the speaker's counter; the other two are not Domain 0's.
                if (bytes == 1 && (value & 0xC0) == 0x80)
                {
                    Ports.Out8(port, (byte)value);
                }

                return;
            case PitSpeaker or SpeakerGate when bytes == 1:
                break;
            default:
                if (IsKept(port, bytes))
                {
                    return;
                }

                break;
        }

        switch (bytes)
        {
            case 1: Ports.Out8(port, (byte)value); break;
            case 2: Ports.Out16(port, (ushort)value); break;
            default: Ports.Out32(port, value); break;
        }
    }

    private static void SelectPciRegister(ref Domain domain) => Ports.Out32(PciAddress, domain.Platform.PciAddress);

    /// <summary>Interrupt controllers, timers, the console's port and the PM timer.</summary>
    private static bool IsKept(ushort port, int bytes)
        => Touches(port, bytes, 0x20, 2) || Touches(port, bytes, 0xA0, 2) || Touches(port, bytes, 0x40, 4) || Touches(port, bytes, SpeakerGate, 1)
            || (Uart.IsPresent && Touches(port, bytes, Uart.Base, 8)) || (PlatformInfo.PmTimerPort != 0 && Touches(port, bytes, PlatformInfo.PmTimerPort, 4));

    /// <summary>Reading the PM timer harms nobody and spares Domain 0's kernel ten thousand futile tries.</summary>
    private static bool IsPmTimer(ushort port, int bytes) => bytes == 4 && port == PlatformInfo.PmTimerPort;

    private static bool Touches(ushort port, int bytes, int first, int count) => port < first + count && port + bytes > first;
}
