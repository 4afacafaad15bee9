// The end of the hypervisor: what it was doing, in names.
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Diagnostics;

/// <summary>Panic and unexpected traps: reason, registers, backtrace, build id; then the machine ends as the options say.</summary>
public static class CrashReport
{
    private const int Frames = 24;

    private static bool s_isReporting;

    /// <summary>A trap of the hypervisor that nothing explains.</summary>
    public static void UnexpectedTrap(ref GuestRegisters frame)
    {
        Begin("unexpected trap in the hypervisor"u8);
        Log.Plain().Text("  vector "u8).Decimal((ulong)frame.Vector).Text(" error code "u8).Hex(frame.ErrorCode).Text(" cr2 "u8).Hex(ControlRegisters.Cr2, 16).End();
        RegisterDump.Print(ref frame);
        Symbol(frame.Rip);
        Backtrace(frame.Rsp);
        Power.EndAfterPanic();
    }

    /// <summary>Reached from Fatal.Panic.</summary>
    public static void Panic(ReadOnlySpan<byte> reason)
    {
        Begin(reason);
        Backtrace(StackWalk.Here());
        Power.EndAfterPanic();
    }

    /// <summary>Prints the head. A report that traps itself must not start over: it ends the machine at once.</summary>
    private static void Begin(ReadOnlySpan<byte> reason)
    {
        if (s_isReporting)
        {
            Power.EndAfterPanic();
        }

        s_isReporting = true;
        Log.Plain().End();
        Log.Always("panic"u8).Text(reason).Text(" (processor "u8).Decimal((ulong)Cpu.Index).Text(", vcpu "u8)
            .Decimal((long)ProcessorTable.Current.CurrentVcpu).Text(", build "u8).Hex(Symbols.BuildId, 16).Text(")"u8).End();
    }

    /// <summary>Every word of the stack that points behind a call of our code; some may be left from earlier calls.</summary>
    private static void Backtrace(ulong stack)
    {
        Log.Plain().Text("  backtrace (return addresses on the stack):"u8).End();
        int printed = 0;
        while (printed < Frames && StackWalk.TryNext(ref stack, out ulong address))
        {
            Symbol(address);
            printed++;
        }
    }

    private static void Symbol(ulong address)
    {
        Log line = Log.Plain().Text("    "u8).Hex(address, 16);
        if (Symbols.TryFind(address, out ReadOnlySpan<byte> name, out ulong offset))
        {
            line.Text(" "u8).Text(name).Text("+"u8).Hex(offset);
        }

        line.End();
    }
}
