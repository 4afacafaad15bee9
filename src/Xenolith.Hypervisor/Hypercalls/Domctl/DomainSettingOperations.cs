// domctl: single settings of a domain.
using Xenolith.Abi;
using Xenolith.Hypervisor.Boot.Building;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>What the toolstack sets or asks with one structure and no loop. All can fail with Fault.</summary>
internal static class DomainSettingOperations
{
    private const uint AddressBits = 64;
    private const uint TriggerNmi = 0;
    private const uint TscModeLast = 2;

    /// <summary>KiB. The domain keeps what it has beyond that.</summary>
    internal static XenError SetMaximumMemory(DomainControl control, GuestAddress at)
    {
        const int KibToPages = 2;
        if (!GuestMemory.TryRead(at, out ulong kib))
        {
            return XenError.Fault;
        }

        control.Domain.Memory.MaximumPages = kib >> KibToPages;
        return XenError.None;
    }

    internal static XenError SetHandle(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out DomainHandle handle))
        {
            return XenError.Fault;
        }

        control.Domain.Settings.Handle = handle;
        return XenError.None;
    }

    /// <summary>Devices stay with Domain 0: nothing can be allowed, and what was never allowed can be forbidden. Error: NotSupported.</summary>
    internal static XenError SetPermission(DomctlCommand command, GuestAddress at)
    {
        ulong offset = command switch
        {
            DomctlCommand.IrqPermission => 4u,
            DomctlCommand.IomemPermission => 16u,
            _ => 8u,
        };
        if (!GuestMemory.TryRead(at.Add(offset), out byte allow))
        {
            return XenError.Fault;
        }

        return allow == 0 ? XenError.None : XenError.NotSupported;
    }

    /// <summary>Writes the hypercall stubs into a page of the domain's. Error: Invalid (not its own, or in use as a table).</summary>
    internal static XenError FillHypercallPage(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ulong number))
        {
            return XenError.Fault;
        }

        Mfn frame = new(number);
        if (PageTypes.TryTakeWritable(ref control.Domain, frame) != XenError.None)
        {
            return XenError.Invalid;
        }

        KernelLoader.FillHypercallPage(PhysicalMemory.Bytes(frame));
        PageTypes.DropLeaf(frame);
        return XenError.None;
    }

    internal static XenError SetTimeOffset(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out long seconds))
        {
            return XenError.Fault;
        }

        control.Domain.Settings.TimeOffset = seconds;
        VcpuClock.UpdateWall(ref control.Domain);
        return XenError.None;
    }

    /// <summary>An NMI for a vcpu. Errors: Invalid (no such vcpu), NotImplemented (buttons of a machine that this is not).</summary>
    internal static XenError SendTrigger(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint trigger) || !GuestMemory.TryRead(at.Add(4), out uint id))
        {
            return XenError.Fault;
        }

        int index = control.Domain.VcpuIndex(id);
        if (index < 0)
        {
            return XenError.Invalid;
        }

        if (trigger != TriggerNmi)
        {
            return XenError.NotImplemented;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        vcpu.Traps.NmiPending = true;
        vcpu.Context.Work |= VcpuWork.Nmi;
        Scheduler.Wake(ref vcpu);
        return XenError.None;
    }

    /// <summary>The port is looked at when the domain suspends, not now.</summary>
    internal static XenError Subscribe(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint port))
        {
            return XenError.Fault;
        }

        control.Domain.Settings.SuspendPort = port;
        return XenError.None;
    }

    /// <summary>Errors: NotSupported (32 bits), Invalid (any other width).</summary>
    internal static XenError SetAddressSize(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint bits))
        {
            return XenError.Fault;
        }

        return bits == AddressBits ? XenError.None : bits == AddressBits / 2 ? XenError.NotSupported : XenError.Invalid;
    }

    internal static XenError GetAddressSize(GuestAddress at) => Answer(GuestMemory.TryWrite(at, AddressBits));

    internal static XenError SetTarget(DomainControl control, GuestAddress at)
        => GuestMemory.TryRead(at, out ushort target) ? control.TrySetTarget(target) : XenError.Fault;

    internal static XenError SetVirqHandler(DomainControl control, GuestAddress at)
        => GuestMemory.TryRead(at, out uint virq) ? GlobalVirqs.TrySetHandler(ref control.Domain, virq) : XenError.Fault;

    /// <summary>Guests always read the processor's own time stamp counter.</summary>
    internal static XenError GetTscInfo(DomainControl control, GuestAddress at)
    {
        TscInfo info = new()
        {
            Kilohertz = (uint)SystemTime.TscKilohertz,
            Incarnation = control.Domain.Settings.TscIncarnation,
        };
        return Answer(GuestMemory.TryWrite(at, in info));
    }

    /// <summary>
    /// Modes that emulate the counter on machines where it cannot be used (0, 1), or never (2), come to the same here. Error: Invalid
    /// (another mode).
    /// </summary>
    internal static XenError SetTscInfo(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out TscInfo info))
        {
            return XenError.Fault;
        }

        if (info.Mode > TscModeLast)
        {
            return XenError.Invalid;
        }

        control.Domain.Settings.TscIncarnation = info.Incarnation;
        return XenError.None;
    }

    /// <summary>There is one node, which every domain is on. Error: Invalid (a map without it).</summary>
    internal static XenError SetNodeAffinity(GuestAddress at)
    {
        if (!Bitmaps.TryRead(at, out ulong nodes))
        {
            return XenError.Fault;
        }

        return (nodes & 1) != 0 ? XenError.None : XenError.Invalid;
    }

    internal static XenError GetNodeAffinity(GuestAddress at) => Answer(Bitmaps.TryWrite(at, 1));

    private static XenError Answer(bool done) => done ? XenError.None : XenError.Fault;
}
