// Memory maps in the form of the firmware's E820.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>XENMEM_memory_map, set_memory_map, machine_memory_map, reserved_device_memory_map (public memory.h).</summary>
internal static class MemoryMapOperations
{
    private const ulong EntryBytes = 20;
    private const uint MaximumEntries = 4096 / (uint)EntryBytes;

    /// <summary>The map that the toolstack has set for the caller. Error: NotImplemented while it has set none.</summary>
    internal static HypercallResult Own(ref HypercallCall call)
    {
        GuestAddress at = new(call.Argument1);
        int entries = call.Domain.Memory.MapEntries;
        if (entries == 0)
        {
            return HypercallResult.From(XenError.NotImplemented);
        }

        if (!GuestMemory.TryRead(at, out uint capacity) || !GuestMemory.TryRead(at.Add(8), out ulong buffer))
        {
            return HypercallResult.From(XenError.Fault);
        }

        uint count = Math.Min(capacity, (uint)entries);
        bool done = GuestMemory.TryCopyTo(new GuestAddress(buffer), PhysicalMemory.Bytes(call.Domain.Memory.Map).Slice(0, (int)(count * (uint)EntryBytes)))
            && GuestMemory.TryWrite(at, count);
        return done ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    /// <summary>struct xen_foreign_memory_map: domain, then the map at offset 8. Errors: Fault, NoSuchDomain, NotPermitted, Invalid (too long), NoMemory.</summary>
    internal static HypercallResult Set(ref HypercallCall call)
    {
        GuestAddress at = new(call.Argument1);
        if (!GuestMemory.TryRead(at, out ushort requested) || !GuestMemory.TryRead(at.Add(8), out uint count)
            || !GuestMemory.TryRead(at.Add(16), out ulong buffer))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (count > MaximumEntries)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        XenError error = DomainControl.TryServe(ref call.Domain, requested, out ushort id);
        if (error != XenError.None)
        {
            return HypercallResult.From(error);
        }

        // The new map takes the old one's place only when all of it has been read.
        if (!DomainFrames.TryAllocateOwn(out Mfn page))
        {
            return HypercallResult.From(XenError.NoMemory);
        }

        if (!GuestMemory.TryCopyFrom(new GuestAddress(buffer), PhysicalMemory.Bytes(page).Slice(0, (int)(count * (uint)EntryBytes))))
        {
            DomainFrames.FreeOwn(page);
            return HypercallResult.From(XenError.Fault);
        }

        ref DomainMemory memory = ref DomainTable.At(id).Memory;
        if (memory.MapEntries != 0)
        {
            DomainFrames.FreeOwn(memory.Map);
        }

        memory.MapEntries = (int)count;
        memory.Map = page;
        if (count == 0)
        {
            DomainFrames.FreeOwn(page);
        }

        return HypercallResult.Success;
    }

    /// <summary>struct xen_memory_map: capacity in, count out, entries of 20 bytes; a null buffer asks for the count.</summary>
    internal static HypercallResult Machine(ref HypercallCall call)
    {
        if (!DomainControl.IsController(ref call.Domain))
        {
            return HypercallResult.From(XenError.NotPermitted);
        }

        GuestAddress at = new(call.Argument1);
        if (!GuestMemory.TryRead(at, out uint capacity) || !GuestMemory.TryRead(at.Add(8), out ulong buffer))
        {
            return HypercallResult.From(XenError.Fault);
        }

        int count = MachineMemoryMap.Count;
        if (buffer != 0)
        {
            if (capacity < (uint)count)
            {
                return HypercallResult.From(XenError.Invalid);
            }

            for (int i = 0; i < count; i++)
            {
                E820Entry entry = MachineMemoryMap.EntryAt(i);
                if (!GuestMemory.TryWrite(new GuestAddress(buffer + ((ulong)i * EntryBytes)), entry))
                {
                    return HypercallResult.From(XenError.Fault);
                }
            }
        }

        return GuestMemory.TryWrite(at, (uint)count) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    /// <summary>struct xen_reserved_device_memory_map: without an IOMMU no device has memory reserved for it.</summary>
    internal static HypercallResult ReservedDeviceMemory(ref HypercallCall call)
    {
        const uint All = 1;
        GuestAddress at = new(call.Argument1);
        if (!GuestMemory.TryRead(at, out uint flags))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if ((flags & ~All) != 0)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        return GuestMemory.TryWrite(at.Add(4), 0u) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }
}
