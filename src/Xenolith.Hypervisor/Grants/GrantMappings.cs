// Mapping granted frames into a domain's address space, and unmapping them.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Grants;

/// <summary>
/// A host mapping is a page table entry that holds the frame's references; a device mapping holds references of its own. If the
/// guest overwrites the entry by other means, its references go with it and the handle keeps the grant pinned.
/// </summary>
internal static class GrantMappings
{
    /// <summary>map_grant_ref. Fills handle and bus address in <paramref name="request"/>.</summary>
    internal static GrantStatus Map(ref Vcpu vcpu, ref GrantMap request)
    {
        bool isHost = (request.Flags & GrantMapFlags.HostMap) != 0;
        bool isDevice = (request.Flags & GrantMapFlags.DeviceMap) != 0;
        bool writes = (request.Flags & GrantMapFlags.ReadOnly) == 0;
        if (!isHost && !isDevice)
        {
            return GrantStatus.BadReference;
        }

        if (!DomainTable.Exists(request.DomainId))
        {
            return GrantStatus.BadDomain;
        }

        ref Domain mapping = ref vcpu.Domain;
        if (!MapTrack.HasFree(ref mapping))
        {
            return GrantStatus.NoDeviceSpace;
        }

        ref Domain granting = ref DomainTable.At(request.DomainId);
        granting.Memory.IsLent |= granting.Id != mapping.Id;
        uint pins = Pins(isHost, isDevice, writes);
        GrantStatus status = GrantPins.TryPin(ref granting, mapping.Id, request.Reference, pins, out Mfn frame);
        if (status == GrantStatus.Okay)
        {
            status = TryMapPinned(ref vcpu, ref granting, frame, in request, writes);
            if (status != GrantStatus.Okay)
            {
                GrantPins.Unpin(ref granting, request.Reference, pins);
            }
        }

        if (status != GrantStatus.Okay)
        {
            return status;
        }

        const uint Kept = GrantMapFlags.HostMap | GrantMapFlags.DeviceMap | GrantMapFlags.ReadOnly | GrantMapFlags.ContainsPte;
        request.Handle = MapTrack.Take(ref mapping, new MapTrackEntry
        {
            Reference = request.Reference,
            DomainId = request.DomainId,
            Flags = (ushort)(request.Flags & Kept),
        });
        request.BusAddress = frame.Address.Value;
        return GrantStatus.Okay;
    }

    /// <summary>
    /// unmap_grant_ref and unmap_and_replace: takes the mapping out of use. What it holds is noted in <paramref name="release"/>, to
    /// be given back by <see cref="Complete"/> once no processor can have a translation any more.
    /// </summary>
    internal static GrantStatus Unmap(ref Vcpu vcpu, in GrantUnmap request, ulong newAddress, out GrantRelease release)
    {
        release = default;
        ref MapTrackEntry entry = ref MapTrack.Find(ref vcpu.Domain, request.Handle);
        if (!MapTrack.IsLive(in entry))
        {
            return GrantStatus.BadHandle;
        }

        Mfn frame = new(DomainTable.At(entry.DomainId).Grants.ActiveAt(entry.Reference).Frame);
        bool isDevice = request.BusAddress != 0 && (entry.Flags & GrantMapFlags.DeviceMap) != 0;
        if (isDevice && request.BusAddress != frame.Address.Value)
        {
            return GrantStatus.BadDeviceAddress;
        }

        bool writes = (entry.Flags & GrantMapFlags.ReadOnly) == 0;
        bool isHost = request.HostAddress != 0 && (entry.Flags & GrantMapFlags.HostMap) != 0;
        if (isHost)
        {
            bool namesEntry = (entry.Flags & GrantMapFlags.ContainsPte) != 0;
            if (!GrantSlots.TryTakeOut(ref vcpu, request.HostAddress, namesEntry, frame, writes, newAddress))
            {
                return GrantStatus.GeneralError;
            }

            entry.Flags &= unchecked((ushort)~GrantMapFlags.HostMap);
        }

        if (isDevice)
        {
            entry.Flags &= unchecked((ushort)~GrantMapFlags.DeviceMap);
        }

        release = new GrantRelease
        {
            Reference = entry.Reference,
            DomainId = entry.DomainId,
            Handle = request.Handle,
            Frame = frame,
            Pins = Pins(isHost, isDevice, writes),
            EndsHandle = (entry.Flags & (GrantMapFlags.HostMap | GrantMapFlags.DeviceMap)) == 0,
        };
        return GrantStatus.Okay;
    }

    /// <summary>Gives back what an unmapping held; after the flush.</summary>
    internal static void Complete(ref Domain mapping, in GrantRelease release)
    {
        const uint Host = ActiveGrant.HostRead | ActiveGrant.HostWrite;
        const uint Device = ActiveGrant.DeviceRead | ActiveGrant.DeviceWrite;
        bool writes = (release.Pins & ActiveGrant.WriteMask) != 0;
        if ((release.Pins & Host) != 0)
        {
            GrantPins.DropFrame(release.Frame, writes);
        }

        if ((release.Pins & Device) != 0)
        {
            GrantPins.DropFrame(release.Frame, writes);
        }

        if (release.Pins != 0)
        {
            GrantPins.Unpin(ref DomainTable.At(release.DomainId), release.Reference, release.Pins);
        }

        if (release.EndsHandle)
        {
            MapTrack.Free(ref mapping, release.Handle);
        }
    }

    /// <summary>
    /// Gives up every mapping of a domain that runs no more, from handle <paramref name="cursor"/> on; what its page table entries hold
    /// goes with its page tables. False: preempted, the cursor says where.
    /// </summary>
    internal static bool TryReleaseAll(ref Domain mapping, ref ulong cursor, ref Preemption preemption)
    {
        for (uint handle = (uint)cursor; handle < mapping.Grants.HandleCount; handle++)
        {
            MapTrackEntry entry = mapping.Grants.HandleAt(handle);
            if (!MapTrack.IsLive(in entry))
            {
                continue;
            }

            if (preemption.IsNeeded)
            {
                cursor = handle;
                return false;
            }

            MapTrack.Free(ref mapping, handle);
            ref Domain granting = ref DomainTable.At(entry.DomainId);
            bool isDevice = (entry.Flags & GrantMapFlags.DeviceMap) != 0;
            bool writes = (entry.Flags & GrantMapFlags.ReadOnly) == 0;
            if (isDevice)
            {
                GrantPins.DropFrame(new Mfn(granting.Grants.ActiveAt(entry.Reference).Frame), writes);
            }

            GrantPins.Unpin(ref granting, entry.Reference, Pins((entry.Flags & GrantMapFlags.HostMap) != 0, isDevice, writes));
        }

        return true;
    }

    /// <summary>The references of each kind of mapping, then the page table entry; all or nothing.</summary>
    private static GrantStatus TryMapPinned(ref Vcpu vcpu, ref Domain granting, Mfn frame, in GrantMap request, bool writes)
    {
        bool isHost = (request.Flags & GrantMapFlags.HostMap) != 0;
        bool isDevice = (request.Flags & GrantMapFlags.DeviceMap) != 0;
        if (isDevice)
        {
            GrantStatus status = GrantPins.TryTakeFrame(ref granting, frame, writes);
            if (status != GrantStatus.Okay)
            {
                return status;
            }
        }

        if (isHost)
        {
            GrantStatus status = TryMapHost(ref vcpu, ref granting, frame, in request, writes);
            if (status != GrantStatus.Okay)
            {
                if (isDevice)
                {
                    GrantPins.DropFrame(frame, writes);
                }

                return status;
            }
        }

        return GrantStatus.Okay;
    }

    private static GrantStatus TryMapHost(ref Vcpu vcpu, ref Domain granting, Mfn frame, in GrantMap request, bool writes)
    {
        if (!GrantSlots.TryFind(ref vcpu, request.HostAddress, (request.Flags & GrantMapFlags.ContainsPte) != 0, out Mfn table, out int index))
        {
            return GrantStatus.GeneralError;
        }

        GrantStatus status = GrantPins.TryTakeFrame(ref granting, frame, writes);
        if (status == GrantStatus.Okay)
        {
            GrantSlots.PutIn(table, index, ValidatedEntry.OfGrant(frame, request.Flags));
        }

        return status;
    }

    private static uint Pins(bool isHost, bool isDevice, bool writes)
    {
        uint host = writes ? ActiveGrant.HostWrite : ActiveGrant.HostRead;
        uint device = writes ? ActiveGrant.DeviceWrite : ActiveGrant.DeviceRead;
        return (isHost ? host : 0) | (isDevice ? device : 0);
    }
}
