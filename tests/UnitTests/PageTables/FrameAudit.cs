// Recomputes every reference of every frame from the tables themselves.
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Grants;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.PageTables;

/// <summary>
/// An auditor that shares no code with the page-type system: it counts who refers to each frame, as what, and compares that with the
/// frame table. It throws with a sentence at the first thing that does not add up.
/// </summary>
internal sealed class FrameAudit
{
    private const ulong First = FakeMachine.FirstUsableFrame;
    private const ulong TableBitsAllowed = 0xFFFF_FFFF_FFFF_FFFF & ~(PageTableEntry.WriteThrough | PageTableEntry.CacheDisable | PageTableEntry.LargePage | PageTableEntry.Global);

    private readonly uint[] _general;
    private readonly uint[] _typed;
    private readonly PageType[] _types;

    // Linear entries of the table, minus 1000 for each that names it.
    private readonly int[] _linear;

    // Mappings of others' frames by domains without privileges: the domain, the frame, whether it may write; entries less handles.
    private readonly Dictionary<(ushort Domain, ulong Frame, bool Writes), int> _lent = [];

    internal FrameAudit()
    {
        int frames = (int)(FakeMachine.FrameCount - First);
        _general = new uint[frames];
        _typed = new uint[frames];
        _types = new PageType[frames];
        _linear = new int[frames];
    }

    /// <summary>A domain in whose tables Domain 0 enters what it likes, and not only what the domain has been granted.</summary>
    internal ushort? Served { get; init; }

    /// <summary>Others than Domain 0 enter frames into each other's tables as well.</summary>
    internal bool LeavesLoansOut { get; init; }

    /// <summary>Everything at once.</summary>
    internal void Check()
    {
        Array.Clear(_general);
        Array.Clear(_typed);
        Array.Clear(_types);
        Array.Clear(_linear);
        _lent.Clear();
        for (int id = 0; id < DomainTable.Count; id++)
        {
            if (DomainTable.IsTaken((uint)id))
            {
                CountDomain(ref DomainTable.At(id));
            }
        }

        CountFrames();
        Compare();
        CheckLent();
        CheckTranslations();
    }

    private static void Fail(string what) => throw new AuditException(what);

    private void CountDomain(ref Domain domain)
    {
        if (domain.State != DomainState.Dead)
        {
            Add(domain.SharedInfo, PageType.Writable, "shared_info");
        }

        for (int page = 0; page < domain.Grants.FrameCount; page++)
        {
            Add(domain.Grants.FrameAt(page), PageType.Writable, "grant table");
        }

        CountHandles(ref domain);

        for (int id = 0; id < domain.VcpuCount; id++)
        {
            ref Vcpu vcpu = ref VcpuTable.At(domain.VcpuIndex((uint)id));
            if (vcpu.Context.KernelRoot != 0)
            {
                Add(new MachineAddress(vcpu.Context.KernelRoot).Frame, PageType.L4, "kernel root");
            }

            if (vcpu.Context.UserRoot != 0)
            {
                Add(new MachineAddress(vcpu.Context.UserRoot).Frame, PageType.L4, "user root");
            }

            for (int page = 0; page < (vcpu.Traps.GdtEntries + 511) / 512; page++)
            {
                Add(vcpu.Traps.Gdt[page], PageType.DescriptorTable, "GDT");
            }

            for (int page = 0; page < DescriptorWindow.LdtPages; page++)
            {
                Mfn frame = DescriptorWindow.LdtPage(vcpu.Index, page);
                if (frame.IsValid)
                {
                    Add(frame, PageType.DescriptorTable, "LDT window");
                }
            }

            if (vcpu.Events.IsRegistered)
            {
                Add(vcpu.Events.InfoFrame, PageType.Writable, "vcpu_info");
            }
        }
    }

    /// <summary>A device mapping of a grant holds its frame by itself; a host mapping's entry does.</summary>
    private void CountHandles(ref Domain domain)
    {
        for (uint handle = 0; handle < domain.Grants.HandleCount; handle++)
        {
            MapTrackEntry entry = domain.Grants.HandleAt(handle);
            if ((entry.Flags & (GrantMapFlags.HostMap | GrantMapFlags.DeviceMap)) == 0)
            {
                continue;
            }

            ulong frame = DomainTable.At(entry.DomainId).Grants.ActiveAt(entry.Reference).Frame;
            bool writes = (entry.Flags & GrantMapFlags.ReadOnly) == 0;
            if ((entry.Flags & GrantMapFlags.HostMap) != 0)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(_lent, (domain.Id, frame, writes), out _)--;
            }

            if ((entry.Flags & GrantMapFlags.DeviceMap) == 0)
            {
                continue;
            }

            if (writes)
            {
                Add(new Mfn(frame), PageType.Writable, $"device mapping of domain {domain.Id}");
            }
            else
            {
                _general[frame - First]++;
            }
        }
    }

    /// <summary>An entry for another domain's frame needs a handle, until the domain dies; a handle may have lost its entry.</summary>
    private void CheckLent()
    {
        foreach (((ushort domain, ulong frame, bool writes), int surplus) in _lent)
        {
            if (surplus > 0 && !LeavesLoansOut && domain != Served && DomainTable.Exists(domain))
            {
                Fail($"domain {domain} maps frame {frame:X} of domain {FrameTable.At(new Mfn(frame)).Owner} {(writes ? "to write" : "to read")} without a grant");
            }
        }
    }

    private void CountFrames()
    {
        Span<ulong> allocated = stackalloc ulong[DomainTable.Capacity];
        ulong free = 0;
        for (ulong value = First; value < FakeMachine.FrameCount; value++)
        {
            Mfn frame = new(value);
            ref FrameInfo info = ref FrameTable.At(frame);
            if (info.Owner == FrameInfo.FreeOwner)
            {
                free++;
                continue;
            }

            if (info.Owner >= DomainTable.Capacity)
            {
                continue;
            }

            if (info.IsAllocated)
            {
                allocated[info.Owner]++;
                _general[value - First]++;
            }

            if (info.TypeCount == 0)
            {
                continue;
            }

            if (info.IsPinned)
            {
                Add(frame, info.Type, "pin");
            }

            // A table that is half built or half taken down is held by itself until somebody completes it.
            if (info.IsBuilding || info.IsDismantling)
            {
                Add(frame, info.Type, "unfinished work");
            }

            if (info.Type is PageType.L1 or PageType.L2 or PageType.L3 or PageType.L4)
            {
                CountEntries(frame, info.Type, info.Owner, info.IsValidated ? 512 : info.Cursor);
            }
        }

        if (free != FrameAllocator.FreeFrames)
        {
            Fail($"{free} frames are free, the allocator says {FrameAllocator.FreeFrames}");
        }

        for (int id = 0; id < DomainTable.Count; id++)
        {
            if (DomainTable.IsTaken((uint)id) && DomainTable.At(id).Memory.TotalPages != allocated[id])
            {
                Fail($"domain {id} has {allocated[id]} pages and counts {DomainTable.At(id).Memory.TotalPages}");
            }
        }
    }

    private void CountEntries(Mfn table, PageType type, ushort owner, int end)
    {
        Span<ulong> words = PhysicalMemory.Words(table);
        bool isPrivileged = DomainTable.At(owner).IsPrivileged;
        if (end > words.Length)
        {
            Fail($"{type} table {table.Value:X} has a cursor at {end}");
        }

        for (int i = 0; i < end; i++)
        {
            ulong entry = words[i];
            if (type == PageType.L4 && i is >= HypervisorAddressSpace.FirstSlot and < HypervisorAddressSpace.EndSlot)
            {
                if (FrameTable.At(table).IsValidated && entry != PhysicalMemory.Word(HypervisorAddressSpace.Root, i))
                {
                    Fail($"slot {i} of root {table.Value:X} is not the hypervisor's");
                }

                continue;
            }

            if ((entry & PageTableEntry.Present) != 0)
            {
                CountEntry(table, type, owner, isPrivileged, i, entry);
            }
        }
    }

    private void CountEntry(Mfn table, PageType type, ushort owner, bool isPrivileged, int index, ulong entry)
    {
        Mfn target = new((entry & PageTableEntry.FrameMask) >> 12);
        if ((entry & PageTableEntry.User) == 0)
        {
            Fail($"{type} {table.Value:X}[{index}] = {entry:X} is closed to the guest");
        }

        if (type != PageType.L1)
        {
            if ((entry & ~TableBitsAllowed) != 0)
            {
                Fail($"{type} {table.Value:X}[{index}] = {entry:X} has bits that no guest may set");
            }

            if (target == table)
            {
                if ((entry & PageTableEntry.Writable) != 0 || type == PageType.L4)
                {
                    Fail($"{type} {table.Value:X} maps itself as {entry:X}");
                }

                return;
            }

            if (target.Value >= FakeMachine.FrameCount || FrameTable.At(target).Owner != owner)
            {
                Fail($"{type} {table.Value:X}[{index}] = {entry:X} leads out of the domain");
            }

            if (FrameTable.At(target).TypeCount != 0 && FrameTable.At(target).Type == type)
            {
                CountLinear(table, type, target, entry);
                return;
            }

            Add(target, type - 1, $"{type} {table.Value:X}[{index}]");
            return;
        }

        bool isDevice = target.Value >= FakeMachine.FrameCount || FrameTable.At(target).Owner == DomainIds.Io;
        if (isDevice)
        {
            if (!isPrivileged)
            {
                Fail($"L1 {table.Value:X}[{index}] = {entry:X}: a device page of a domain without devices");
            }

            if ((entry & PageTableEntry.Writable) != 0 && target.Value == PlatformInfo.HpetAddress >> 12)
            {
                Fail($"L1 {table.Value:X}[{index}] = {entry:X}: the hypervisor's clock may be written");
            }

            return;
        }

        if (target.Value < First || FrameTable.At(target).Owner >= DomainTable.Capacity)
        {
            Fail($"L1 {table.Value:X}[{index}] = {entry:X} maps memory that is no domain's");
        }

        if (FrameTable.At(target).Owner != owner && !isPrivileged)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_lent, (owner, target.Value, (entry & PageTableEntry.Writable) != 0), out _)++;
        }

        bool cached = (entry & (PageTableEntry.WriteThrough | PageTableEntry.CacheDisable | PageTableEntry.PatSmall)) == 0;
        if (!cached && !isPrivileged)
        {
            Fail($"L1 {table.Value:X}[{index}] = {entry:X} chooses a cache type");
        }

        if ((entry & PageTableEntry.Writable) != 0)
        {
            Add(target, PageType.Writable, $"L1 {table.Value:X}[{index}]");
        }
        else
        {
            _general[target.Value - First]++;
        }
    }

    private void CountLinear(Mfn table, PageType type, Mfn target, ulong entry)
    {
        if ((entry & PageTableEntry.Writable) != 0 || type == PageType.L4)
        {
            Fail($"{type} {table.Value:X} maps {target.Value:X}, of its own level, as {entry:X}");
        }

        _linear[table.Value - First]++;
        _linear[target.Value - First] -= 1000;
        Add(target, type, $"{type} {table.Value:X}, linear");
    }

    private void Add(Mfn frame, PageType type, string by)
    {
        ulong index = frame.Value - First;
        if (frame.Value < First || frame.Value >= FakeMachine.FrameCount)
        {
            Fail($"{by} refers to frame {frame.Value:X}, which is no domain's");
        }

        if (_typed[index] != 0 && _types[index] != type)
        {
            Fail($"frame {frame.Value:X} is {_types[index]} and, by {by}, also {type}");
        }

        _types[index] = type;
        _typed[index]++;
        _general[index]++;
    }

    private void Compare()
    {
        for (ulong value = 0; value < First; value++)
        {
            ref FrameInfo info = ref FrameTable.At(new Mfn(value));
            if (info.Owner == DomainIds.Io && (info.TypeWord != 0 || info.GeneralCount != 0))
            {
                Fail($"device frame {value:X} is counted: {info.TypeWord:X}, {info.OwnerWord:X}");
            }
        }

        for (ulong value = First; value < FakeMachine.FrameCount; value++)
        {
            ref FrameInfo info = ref FrameTable.At(new Mfn(value));
            ulong index = value - First;
            if (info.Owner >= DomainTable.Capacity)
            {
                if (_general[index] != 0)
                {
                    Fail($"frame {value:X} of owner {info.Owner:X} is still referred to {_general[index]} times, as {_types[index]}");
                }

                continue;
            }

            if (info.GeneralCount != _general[index] || info.TypeCount != _typed[index] || (_typed[index] != 0 && info.Type != _types[index]))
            {
                Fail($"frame {value:X}: counted {_general[index]} references, {_typed[index]} as {_types[index]}; "
                    + $"the frame table has {info.GeneralCount}, {info.TypeCount} as {info.Type} (word {info.TypeWord:X})");
            }

            int balance = _linear[index] < 0 ? _linear[index] / 1000 : _linear[index];
            if (info.LinearBalance != balance || (_linear[index] < 0 && _linear[index] % 1000 != 0))
            {
                Fail($"frame {value:X} has the linear balance {info.LinearBalance}, counted {_linear[index]}");
            }

            if (info.GeneralCount == 0)
            {
                Fail($"frame {value:X} of domain {info.Owner} is referred to by nobody and not free");
            }
        }
    }

    /// <summary>What the processor remembers must not reach what the guest may no longer reach.</summary>
    private void CheckTranslations()
    {
        foreach ((ulong page, ulong value, bool writable, ulong leaf) in GuestMemory.Translations)
        {
            if (value < First || value >= FakeMachine.FrameCount)
            {
                continue;
            }

            CheckAccess(page << 12, new Mfn(value), writable, "a translation in the TLB");
            Mfn table = new(FakeCpu.Cr3 >> 12);
            for (int shift = 39; shift > 12; shift -= 9)
            {
                ulong entry = PhysicalMemory.Word(table, (int)(page >> (shift - 12)) & 511);
                if ((entry & PageTableEntry.Present) == 0)
                {
                    Fail($"address {page << 12:X} has lost its tables and keeps a translation");
                }

                table = new PageTableEntry(entry).Frame;
            }

            if (table.Value != leaf)
            {
                Fail($"address {page << 12:X} is now under L1 {table.Value:X} and keeps the translation of L1 {leaf:X}");
            }
        }
    }

    /// <summary>Whether the guest may reach the frame in that way.</summary>
    internal static void CheckAccess(ulong address, Mfn frame, bool writable, string by)
    {
        ref FrameInfo info = ref FrameTable.At(frame);
        if (info.Owner >= DomainTable.Capacity)
        {
            Fail($"address {address:X}: {by} reaches frame {frame.Value:X} of owner {info.Owner:X}");
        }

        if (writable && info.TypeCount != 0 && info.Type != PageType.Writable)
        {
            Fail($"address {address:X}: {by} may write frame {frame.Value:X}, which is {info.Type}");
        }
    }
}

/// <summary>The audit found something.</summary>
internal sealed class AuditException(string what) : Exception(what);
