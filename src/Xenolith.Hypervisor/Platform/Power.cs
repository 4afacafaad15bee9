// The end of the machine's run.
using Xenolith.Abi;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Options;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>Power off, reset or halt, as asked and as the machine can.</summary>
internal static class Power
{
    /// <summary>Domain 0 has ended: the machine follows. A crash halts when the option noreboot is given, else it resets.</summary>
    internal static void EndMachine(ShutdownReason reason)
    {
        switch (reason)
        {
            case ShutdownReason.PowerOff:
                Log.Always("power"u8).Text("off"u8).End();
                ConsoleOutput.EndBuffering();
                PowerPorts.SwitchOff();
                Halt("the machine cannot be switched off by software: halted"u8);
                break;
            case ShutdownReason.Reboot:
                Log.Always("power"u8).Text("reset"u8).End();
                Reset();
                break;
            default:
                ResetUnlessTold();
                break;
        }
    }

    /// <summary>After the report of a panic.</summary>
    internal static void EndAfterPanic() => ResetUnlessTold();

    /// <summary>Stops with a sentence; somebody has to look.</summary>
    internal static void Halt(ReadOnlySpan<byte> reason)
    {
        Log.Always("power"u8).Text(reason).End();
        ConsoleOutput.EndBuffering();
        Cpu.HaltForever();
    }

    /// <summary>Resets by the FADT's register, the chipset's, the keyboard controller, a triple fault: whichever works first.</summary>
    internal static void Reset()
    {
        ConsoleOutput.EndBuffering();
        if (PowerPorts.ResetPort != 0)
        {
            Ports.Out8(PowerPorts.ResetPort, PowerPorts.ResetValue);
        }

        Ports.Out8(0xCF9, 0x02);
        Ports.Out8(0xCF9, 0x06);
        Ports.Out8(0x64, 0xFE);
        Cpu.TripleFault();
    }

    private static void ResetUnlessTold()
    {
        if (BootOptions.NoReboot)
        {
            Halt("halted, as the option noreboot asks; reset the machine by hand"u8);
        }

        Log.Always("power"u8).Text("reset (the option noreboot keeps the machine halted instead)"u8).End();
        Reset();
    }
}
