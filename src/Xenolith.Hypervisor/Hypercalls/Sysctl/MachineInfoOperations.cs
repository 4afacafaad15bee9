// sysctl: what the machine has, and its debug keys.
using Xenolith.Abi;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>physinfo, debug_keys, getcpuinfo, availheap. All can fail with Fault.</summary>
internal static class MachineInfoOperations
{
    private const uint HighestNode = 63;
    private const uint MaximumKeys = 64;
    private const ulong PageBytes = 4096;

    internal static XenError GetPhysicalInfo(GuestAddress at)
    {
        TopologyOperations.Shape(out uint threads, out uint cores);
        PhysicalInfo info = new()
        {
            ThreadsPerCore = threads,
            CoresPerSocket = cores,
            ProcessorCount = (uint)ProcessorTable.Count,
            HighestProcessor = (uint)ProcessorTable.Count - 1,
            NodeCount = 1,
            HighestNode = HighestNode,
            Kilohertz = (uint)SystemTime.TscKilohertz,
            Capabilities = PhysicalInfo.HasParavirtual | PhysicalInfo.HasGrantVersion1,
            TotalPages = FrameAllocator.TotalFrames,
            FreePages = FrameAllocator.FreeFrames,
            OutstandingPages = FrameAllocator.StakedFrames,
            HighestFrame = FrameTable.Count - 1,
        };
        CpuIdResult basic = CpuId.Query(1);
        CpuIdResult extended = CpuId.Query(0x8000_0001);
        CpuIdResult structured = CpuId.Query(7);
        info.Hardware[0] = basic.Edx;
        info.Hardware[1] = basic.Ecx;
        info.Hardware[2] = extended.Edx;
        info.Hardware[3] = extended.Ecx;
        info.Hardware[4] = CpuFeatures.HasXsave ? CpuId.Query(0xD, 1).Eax : 0;
        info.Hardware[5] = structured.Ebx;
        info.Hardware[6] = structured.Ecx;
        info.Hardware[7] = CpuFeatures.HasInvariantTsc ? CpuId.Query(0x8000_0007).Edx : 0;
        return Answer(GuestMemory.TryWrite(at, in info));
    }

    /// <summary>Presses the keys one after the other; a long row is cut short. Error: Fault.</summary>
    internal static XenError PressKeys(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ulong keys) || !GuestMemory.TryRead(at.Add(8), out uint count))
        {
            return XenError.Fault;
        }

        for (uint i = 0; i < Math.Min(count, MaximumKeys); i++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(keys + i), out byte key))
            {
                return XenError.Fault;
            }

            DebugKeys.Press(key);
        }

        return XenError.None;
    }

    /// <summary>struct xen_sysctl_getcpuinfo: room @0, nanoseconds of idle time per processor @8, how many @16.</summary>
    internal static XenError GetIdleTimes(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint room) || !GuestMemory.TryRead(at.Add(8), out ulong times))
        {
            return XenError.Fault;
        }

        uint count = Math.Min(room, (uint)ProcessorTable.Count);
        for (uint i = 0; i < count; i++)
        {
            ref Processor processor = ref ProcessorTable.At((int)i);
            ulong idle = processor.IdleTime + (processor.IsIdle ? SystemTime.Now() - processor.IdleSince : 0);
            if (!GuestMemory.TryWrite(new GuestAddress(times + (i * 8)), idle))
            {
                return XenError.Fault;
            }
        }

        return Answer(GuestMemory.TryWrite(at.Add(16), count));
    }

    /// <summary>Free bytes on a node, or on all. Ranges of addresses are not told apart. Error: Invalid (no such node).</summary>
    internal static XenError GetAvailableHeap(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out AvailableHeap request))
        {
            return XenError.Fault;
        }

        if (request.Node > 0)
        {
            return XenError.Invalid;
        }

        request.Bytes = FrameAllocator.FreeFrames * PageBytes;
        return Answer(GuestMemory.TryWrite(at, in request));
    }

    private static XenError Answer(bool done) => done ? XenError.None : XenError.Fault;
}
