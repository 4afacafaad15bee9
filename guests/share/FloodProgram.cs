// flood_KIND: a domain that asks for more of one thing than there is, all the time, from begin=MS to end=MS of the hypervisor's time.
using System.Runtime;

namespace Xenolith.Guest.Programs;

/// <summary>victim=ID is the domain that flood_events sends its events to, by a port that a guest `share` has opened.</summary>
internal static unsafe class FloodProgram
{
    private const ulong Millisecond = 1_000_000;

    [RuntimeExport("guest_flood_events")]
    private static void OfEvents() => Run(&Flood.SendEvents);

    [RuntimeExport("guest_flood_lines")]
    private static void OfLines() => Run(&Flood.SayLines);

    [RuntimeExport("guest_flood_ring")]
    private static void OfRings() => Run(&Flood.FillRing);

    [RuntimeExport("guest_flood_calls")]
    private static void OfCalls() => Run(&Flood.CallInLists);

    [RuntimeExport("guest_flood_updates")]
    private static void OfUpdates() => Run(&Flood.UpdateTables);

    [RuntimeExport("guest_flood_timers")]
    private static void OfTimers() => Run(&Flood.SetTimers);

    [RuntimeExport("guest_flood_wakes")]
    private static void OfWakes() => Run(&Flood.WakeAndSleep);

    [RuntimeExport("guest_flood_yields")]
    private static void OfYields() => Run(&Flood.Yield);

    [RuntimeExport("guest_flood_memory")]
    private static void OfMemory() => Run(&Flood.ExchangeMemory);

    private static void Run(delegate*<ulong, void> flood)
    {
        Events.Start();
        Traps.Start();
        Traps.Callbacks();
        Timers.Start();
        Timers.WaitUntil(Arguments.Number("begin"u8, 1000) * Millisecond);
        Events.Open();
        flood(Arguments.Number("end"u8, 2000) * Millisecond);
        Report.Finish();
    }
}
