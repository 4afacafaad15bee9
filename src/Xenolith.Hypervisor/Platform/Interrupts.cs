// From a vector to whom it concerns.
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>Every interrupt of the machine arrives here, with interrupts off.</summary>
internal static class Interrupts
{
    private const int NoLine = -1;

    private static int s_serialLine = NoLine;

    /// <summary>Line of the console's serial port, or -1; Domain 0 cannot have it.</summary>
    internal static int SerialLine => s_serialLine;

    internal static void Handle(int vector)
    {
        LockOrder.AssertHeld();
        switch (vector)
        {
            case Vectors.Timer:
                LocalApic.EndOfInterrupt();
                Timers.OnInterrupt();
                break;
            case Vectors.Serial:
                Uart.AcknowledgeInterrupt();
                ConsoleInput.OnInterrupt();
                ConsoleOutput.Drain();
                LocalApic.EndOfInterrupt();
                break;
            case >= Vectors.FirstPirq and <= Vectors.LastPirq:
                Pirqs.OnInterrupt(vector);
                break;
            case Vectors.Kick:
            case Vectors.ApicError:
                LocalApic.EndOfInterrupt();
                break;
        }
    }

    /// <summary>Routes the serial port's line here. ISA line 4 is COM1's and COM3's, line 3 the others'.</summary>
    internal static void TakeSerialLine()
    {
        if (!Uart.IsPresent)
        {
            return;
        }

        uint line = Uart.Base is 0x3F8 or 0x3E8 ? 4u : 3u;
        Madt.TryGetIsaLine(line, out bool isLevel, out bool isActiveLow);
        IoApic.Route(line, Vectors.Serial, LocalApic.DeviceTarget, isLevel, isActiveLow);
        IoApic.SetMask(line, false);
        s_serialLine = (int)line;
        ConsoleOutput.BeginBuffering();
    }
}
