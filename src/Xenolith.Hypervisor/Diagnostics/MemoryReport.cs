// What the machine's frames are in use for.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Diagnostics;

/// <summary>One line: frames that are free, all frames that can be, and those that belong to domains; the rest is the hypervisor's own.</summary>
internal static class MemoryReport
{
    internal static void Print(ReadOnlySpan<byte> subsystem)
        => Log.Always(subsystem).Text("frames free "u8).Decimal(FrameAllocator.FreeFrames).Text(" of "u8).Decimal(FrameAllocator.TotalFrames)
            .Text(", of domains "u8).Decimal(OfDomains()).Text(", TLB flushes "u8).Decimal(Tlb.FlushCount).End();

    private static ulong OfDomains()
    {
        ulong count = 0;
        for (ulong frame = 0; frame < FrameTable.Count; frame++)
        {
            count += FrameTable.At(new Mfn(frame)).Owner < DomainTable.Capacity ? 1UL : 0;
        }

        return count;
    }
}
