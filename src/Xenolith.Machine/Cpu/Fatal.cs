// The end: what happens when going on would be unsafe.
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>Stops the machine with a reason. For states of the hypervisor itself, never for what a guest asked.</summary>
public static unsafe class Fatal
{
    // SAFETY: only SetReporter writes it, with a routine of the image; it is called with nothing but text.
    private static delegate*<ReadOnlySpan<byte>, void> s_report;
    private static bool s_ending;

    /// <summary>Stops with a reason; does not return.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Panic(ReadOnlySpan<byte> reason)
    {
        // A panic while panicking must not start over.
        if (!s_ending && s_report != null)
        {
            s_ending = true;
            s_report(reason);
        }

        Cpu.HaltForever();
    }

    /// <summary>Stops unless the condition holds.</summary>
    public static void Assert(bool condition, ReadOnlySpan<byte> reason)
    {
        if (!condition)
        {
            Panic(reason);
        }
    }

    /// <summary>Names the routine that prints the report; it may not return either.</summary>
    public static void SetReporter(delegate*<ReadOnlySpan<byte>, void> report) => s_report = report;

    internal static void TableIndex() => Panic("index outside a table of the hypervisor"u8);
}
