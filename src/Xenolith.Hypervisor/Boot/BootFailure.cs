// When the machine cannot be started.
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot;

/// <summary>Says in one sentence why, then halts: rebooting would end here again.</summary>
internal static class BootFailure
{
    internal static void Stop(ReadOnlySpan<byte> reason) => Stop(reason, default);

    internal static void Stop(ReadOnlySpan<byte> reason, ReadOnlySpan<byte> more)
    {
        Log.Always("boot"u8).Text("cannot start: "u8).Text(reason).Text(more).End();
        Log.Always("boot"u8).Text("halted"u8).End();
        ConsoleOutput.EndBuffering();
        Cpu.HaltForever();
    }
}
