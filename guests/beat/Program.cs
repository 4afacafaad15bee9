// beat: one of many domains: a line when it is up, then a line at every tick of its timer, for as long as it is left alone.
using System.Runtime;

namespace Xenolith.Guest.Programs;

internal static unsafe class BeatProgram
{
    private const ulong Interval = 10_000_000_000;

    [RuntimeExport("guest_beat")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        Traps.Callbacks();
        Timers.Start();
        Say("SCALE:UP "u8, 0);
        ulong next = Timers.Now;
        for (long beats = 1; ; beats++)
        {
            next += Interval;
            Events.Forget();
            Timers.SingleShot(next);
            Timers.Wait();
            Say("SCALE:BEAT "u8, beats);
        }
    }

    private static void Say(System.ReadOnlySpan<byte> what, long number)
    {
        Text.Write(what);
        Text.Decimal(number);
        Text.EndLine();
    }
}
