// What Domain 0 may know of the physical processors.
using Xenolith.Abi;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>XENPF_get_cpu_version, getidletime, read_memtype (public platform.h).</summary>
internal static class ProcessorQueries
{
    private const uint MtrrCapability = 0xFE;
    private const uint FirstMtrrBase = 0x200;

    /// <summary>struct xenpf_pcpu_version: id @0, highest id @4, vendor @8 (12 bytes), family @20, model @24, stepping @28.</summary>
    internal static HypercallResult GetVersion(GuestAddress body)
    {
        if (!GuestMemory.TryRead(body, out uint id))
        {
            return HypercallResult.From(XenError.Fault);
        }

        CpuIdResult vendor = default;
        uint family = 0;
        uint model = 0;
        uint stepping = 0;
        if (id < (uint)ProcessorTable.Count)
        {
            vendor = CpuId.Query(0);
            uint signature = CpuId.Query(1).Eax;
            stepping = signature & 0xF;
            family = (signature >> 8) & 0xF;
            model = (signature >> 4) & 0xF;
            model |= family is 6 or 15 ? (signature >> 12) & 0xF0 : 0;
            family += family == 15 ? (signature >> 20) & 0xFF : 0;
        }

        bool done = GuestMemory.TryWrite(body.Add(4), (uint)ProcessorTable.Count - 1)
            && GuestMemory.TryWrite(body.Add(8), vendor.Ebx) && GuestMemory.TryWrite(body.Add(12), vendor.Edx) && GuestMemory.TryWrite(body.Add(16), vendor.Ecx)
            && GuestMemory.TryWrite(body.Add(20), family) && GuestMemory.TryWrite(body.Add(24), model) && GuestMemory.TryWrite(body.Add(28), stepping);
        return done ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    /// <summary>
    /// struct xenpf_getidletime: bitmap of processors @0 and its bits @8, list of idle times in nanoseconds @16, the time @24. The
    /// bits of processors that do not exist are cleared.
    /// </summary>
    internal static HypercallResult GetIdleTime(GuestAddress body)
    {
        if (!GuestMemory.TryRead(body, out ulong bitmap) || !GuestMemory.TryRead(body.Add(8), out uint bits) || !GuestMemory.TryRead(body.Add(16), out ulong times))
        {
            return HypercallResult.From(XenError.Fault);
        }

        uint bytes = (Math.Min(bits, (uint)ProcessorTable.Capacity) + 7) / 8;
        for (uint i = 0; i < bytes; i++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(bitmap + i), out byte wanted))
            {
                return HypercallResult.From(XenError.Fault);
            }

            uint present = 0;
            for (int bit = 0; bit < 8; bit++)
            {
                int processor = ((int)i * 8) + bit;
                if (((wanted >> bit) & 1) == 0 || processor >= ProcessorTable.Count || (uint)processor >= bits)
                {
                    continue;
                }

                present |= 1u << bit;
                if (!GuestMemory.TryWrite(new GuestAddress(times + ((ulong)processor * 8)), ProcessorTable.At(processor).IdleTime))
                {
                    return HypercallResult.From(XenError.Fault);
                }
            }

            if (!GuestMemory.TryWrite(new GuestAddress(bitmap + i), (byte)present))
            {
                return HypercallResult.From(XenError.Fault);
            }
        }

        return GuestMemory.TryWrite(body.Add(24), SystemTime.Now()) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    /// <summary>struct xenpf_read_memtype: register @0, first frame @8, frames @16, type @24 (Intel SDM vol. 3, 12.11.2). Error: Invalid (no such register).</summary>
    internal static HypercallResult ReadMemoryType(GuestAddress body)
    {
        const ulong Valid = 1 << 11;
        if (!GuestMemory.TryRead(body, out uint register))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (!Msrs.TryRead(MtrrCapability, out ulong capability) || register >= (byte)capability
            || !Msrs.TryRead(FirstMtrrBase + (register * 2), out ulong start) || !Msrs.TryRead(FirstMtrrBase + (register * 2) + 1, out ulong mask))
        {
            return HypercallResult.From(XenError.Invalid);
        }

        ulong frame = 0;
        ulong frames = 0;
        uint type = 0;
        if ((mask & Valid) != 0)
        {
            ulong all = (1UL << (CpuFeatures.PhysicalAddressBits - 12)) - 1;
            frame = (start >> 12) & all;
            frames = ((~(mask >> 12)) & all) + 1;
            type = (byte)start;
        }

        bool done = GuestMemory.TryWrite(body.Add(8), frame) && GuestMemory.TryWrite(body.Add(16), frames) && GuestMemory.TryWrite(body.Add(24), type);
        return done ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }
}
