// sysctl: where processors and memory are.
using Xenolith.Abi;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>cputopoinfo and numainfo. All memory is one node.</summary>
internal static class TopologyOperations
{
    private const ulong PlaceBytes = 12;
    private const ulong PageBytes = 4096;
    private const uint Local = 10;

    /// <summary>Threads of a core and cores of a socket, as CPUID leaf 1 and 4 or 0x8000001E let know; at least 1 of each.</summary>
    internal static void Shape(out uint threads, out uint cores)
    {
        const uint HasThreads = 1 << 28;
        CpuIdResult basic = CpuId.Query(1);
        uint logical = (basic.Edx & HasThreads) != 0 ? (basic.Ebx >> 16) & 0xFF : 1;
        cores = CpuFeatures.IsAmd ? (CpuId.Query(0x8000_0008).Ecx & 0xFF) + 1 : CpuId.Query(0).Eax >= 4 ? (CpuId.Query(4).Eax >> 26) + 1 : 1;
        threads = Math.Max(logical / cores, 1);
        cores = CpuFeatures.IsAmd ? Math.Max(cores / threads, 1) : cores;
    }

    /// <summary>A null list asks for the number. Error: Fault.</summary>
    internal static XenError GetProcessors(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint room) || !GuestMemory.TryRead(at.Add(8), out ulong list))
        {
            return XenError.Fault;
        }

        uint count = (uint)ProcessorTable.Count;
        if (list != 0)
        {
            count = Math.Min(count, room);
            Shape(out uint threads, out uint cores);
            for (uint i = 0; i < count; i++)
            {
                uint id = ProcessorTable.At((int)i).ApicId;
                ProcessorPlace place = new() { Core = id / threads % cores, Socket = id / threads / cores };
                if (!GuestMemory.TryWrite(new GuestAddress(list + (i * PlaceBytes)), in place))
                {
                    return XenError.Fault;
                }
            }
        }

        return GuestMemory.TryWrite(at, count) ? XenError.None : XenError.Fault;
    }

    /// <summary>Two null lists ask for the number. Error: Fault.</summary>
    internal static XenError GetNodes(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out NumaInfo request))
        {
            return XenError.Fault;
        }

        bool asksNumber = request.Memory == 0 && request.Distances == 0;
        uint count = asksNumber ? 1 : Math.Min(request.Count, 1);
        bool done = true;
        if (count != 0 && request.Memory != 0)
        {
            GuestAddress memory = new(request.Memory);
            done = GuestMemory.TryWrite(memory, FrameTable.Count * PageBytes) && GuestMemory.TryWrite(memory.Add(8), FrameAllocator.FreeFrames * PageBytes);
        }

        if (count != 0 && request.Distances != 0)
        {
            done = done && GuestMemory.TryWrite(new GuestAddress(request.Distances), Local);
        }

        return done && GuestMemory.TryWrite(at, count) ? XenError.None : XenError.Fault;
    }
}
