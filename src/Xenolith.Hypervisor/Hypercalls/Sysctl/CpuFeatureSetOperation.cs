// sysctl: processor features as one row of words.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>get_cpu_featureset (order of the words: public arch-x86/cpufeatureset.h).</summary>
internal static class CpuFeatureSetOperation
{
    private const uint WordCount = 16;
    private const uint Raw = 0;
    private const uint Host = 1;
    private const uint Pv = 2;
    private const uint Hvm = 3;
    private const uint PvMaximum = 4;
    private const uint HvmMaximum = 5;

    /// <summary>A null list asks for the number. Errors: Fault, Invalid (no such set), NotSupported (full virtualization), NoBufferSpace.</summary>
    internal static XenError Handle(ref Domain caller, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out CpuFeatureSet request))
        {
            return XenError.Fault;
        }

        switch (request.Index)
        {
            case Raw or Host or Pv or PvMaximum: break;
            case Hvm or HvmMaximum: return XenError.NotSupported;
            default: return XenError.Invalid;
        }

        uint room = request.Count;
        bool isQuestion = request.Words == 0;
        request.Count = isQuestion ? WordCount : Math.Min(room, WordCount);
        for (uint word = 0; word < request.Count && !isQuestion; word++)
        {
            uint value = WordOf(ref caller, request.Index is Pv or PvMaximum, word);
            if (!GuestMemory.TryWrite(new GuestAddress(request.Words + (word * 4)), value))
            {
                return XenError.Fault;
            }
        }

        if (!GuestMemory.TryWrite(at, in request))
        {
            return XenError.Fault;
        }

        return isQuestion || room >= WordCount ? XenError.None : XenError.NoBufferSpace;
    }

    private static uint WordOf(ref Domain caller, bool isGuests, uint word) => word switch
    {
        0 => Query(ref caller, isGuests, 1, 0).Edx,
        1 => Query(ref caller, isGuests, 1, 0).Ecx,
        2 => Query(ref caller, isGuests, 0x8000_0001, 0).Edx,
        3 => Query(ref caller, isGuests, 0x8000_0001, 0).Ecx,
        4 => Query(ref caller, isGuests, 0xD, 1).Eax,
        5 => Query(ref caller, isGuests, 7, 0).Ebx,
        6 => Query(ref caller, isGuests, 7, 0).Ecx,
        7 => Query(ref caller, isGuests, 0x8000_0007, 0).Edx,
        8 => Query(ref caller, isGuests, 0x8000_0008, 0).Ebx,
        9 => Query(ref caller, isGuests, 7, 0).Edx,
        10 => Query(ref caller, isGuests, 7, 1).Eax,
        12 => Query(ref caller, isGuests, 7, 1).Ebx,
        13 => Query(ref caller, isGuests, 7, 2).Edx,
        14 => Query(ref caller, isGuests, 7, 1).Ecx,
        15 => Query(ref caller, isGuests, 7, 1).Edx,
        _ => 0,
    };

    private static CpuIdResult Query(ref Domain caller, bool isGuests, uint leaf, uint subleaf)
    {
        if (isGuests)
        {
            return GuestCpuId.Query(ref caller, 0, leaf, subleaf);
        }

        // A processor answers for a leaf or subleaf that it does not have with that of another.
        bool exists = leaf <= CpuId.Query(leaf & 0x8000_0000).Eax && (leaf != 7 || subleaf <= CpuId.Query(7).Eax);
        return exists ? CpuId.Query(leaf, subleaf) : default;
    }
}
