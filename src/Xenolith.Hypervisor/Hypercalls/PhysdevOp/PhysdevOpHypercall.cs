// physdev_op: interrupts and PCI devices for the domain that drives the hardware.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 33 (public physdev.h). RDI = operation, RSI = its structure.</summary>
internal static class PhysdevOpHypercall
{
    private const int MapMsi = 0;
    private const int MapGsi = 1;
    private const int MapMsiSegment = 3;
    private const int MapMultiMsi = 4;
    private const uint NeedsEnd = 1;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        GuestAddress at = new(call.Argument1);
        switch (call.Argument0)
        {
            case 6: return SetIopl(ref call, at);
            case 7: return SetIoBitmap(ref call, at);
        }

        if (!call.Domain.IsPrivileged)
        {
            return HypercallResult.From(XenError.NotPermitted);
        }

        return call.Argument0 switch
        {
            5 => IrqStatusQuery(at),
            8 => ApicRead(at),
            9 => HypercallResult.From(XenError.NotPermitted),
            10 => AllocateVector(at),
            12 => End(ref call, at),
            13 => MapPirq(ref call, at),
            14 => UnmapPirq(ref call, at),
            15 or 16 or 20 or 25 or 26 => PciDevice(at),
            17 => SetEndMap(ref call, at, true),
            19 => RestoreMessages(at, false),
            21 => SetupGsi(at),
            22 => GuestMemory.TryWrite(at, (uint)Pirqs.Capacity) ? HypercallResult.Success : HypercallResult.From(XenError.Fault),
            23 => GetFreePirq(at),

            // pci_mmcfg_reserved and dbgp_op: ECAM is known from MCFG; no debug port of a USB controller is in use.
            24 or 29 => GuestMemory.TryRead(at, out uint _) ? HypercallResult.Success : HypercallResult.From(XenError.Fault),
            27 => RestoreMessages(at, true),
            28 => SetEndMap(ref call, at, false),
            30 or 31 => PrepareMessages(at),
            _ => HypercallResult.From(XenError.NotImplemented),
        };
    }

    private static HypercallResult SetIopl(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint iopl))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (iopl > 3)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        call.Vcpu.Traps.Iopl = iopl;
        return HypercallResult.Success;
    }

    private static HypercallResult SetIoBitmap(ref HypercallCall call, GuestAddress at)
    {
        const uint MaximumPorts = 65536;
        if (!GuestMemory.TryRead(at, out ulong bitmap) || !GuestMemory.TryRead(at.Add(8), out uint ports))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (ports > MaximumPorts || !new GuestAddress(bitmap).IsGuestRange(ports / 8))
        {
            return HypercallResult.From(XenError.Invalid);
        }

        call.Vcpu.Traps.IoBitmap = bitmap;
        call.Vcpu.Traps.IoBitmapPorts = ports;
        return HypercallResult.Success;
    }

    private static HypercallResult IrqStatusQuery(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint number))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (number >= Pirqs.Capacity)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        return GuestMemory.TryWrite(at.Add(4), Pirqs.NeedsEnd(number) ? NeedsEnd : 0) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    private static HypercallResult ApicRead(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ulong address) || !GuestMemory.TryRead(at.Add(8), out uint register))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (!IoApic.TryReadIdentification(new MachineAddress(address), register, out uint value))
        {
            return HypercallResult.From(XenError.Invalid);
        }

        return GuestMemory.TryWrite(at.Add(12), value) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    /// <summary>Vectors are the hypervisor's affair: the guest gets its own number back, which is as unique.</summary>
    private static HypercallResult AllocateVector(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint number))
        {
            return HypercallResult.From(XenError.Fault);
        }

        return GuestMemory.TryWrite(at.Add(4), number) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    private static HypercallResult End(ref HypercallCall call, GuestAddress at)
        => GuestMemory.TryRead(at, out uint number) ? HypercallResult.From(Pirqs.TryEnd(ref call.Domain, number)) : HypercallResult.From(XenError.Fault);

    private static HypercallResult MapPirq(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out PhysdevMapPirq request))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (request.DomainId != DomainIds.Self && request.DomainId != call.Vcpu.DomainId)
        {
            // Devices are Domain 0's: none is handed to another domain.
            return HypercallResult.From(DomainTable.Exists(request.DomainId) ? XenError.NotSupported : XenError.NoSuchDomain);
        }

        uint number = request.Pirq >= 0 ? (uint)request.Pirq : Pirqs.AnyNumber;
        XenError error;
        switch (request.Type)
        {
            case MapGsi:
                // Lines keep their numbers: another one cannot be asked for.
                error = request.Pirq >= 0 && request.Pirq != request.Index ? XenError.Invalid : Pirqs.TryMapLine(ref call.Domain, (uint)request.Index);
                number = (uint)request.Index;
                break;
            case MapMsi:
            case MapMsiSegment:
                bool otherSegment = request.Type == MapMsiSegment && request.Bus >> 16 != 0;
                error = otherSegment ? XenError.NoDevice : MapMessage(ref call, in request, (uint)request.EntryNumber, request.TableBase, ref number);
                break;
            case MapMultiMsi when request.EntryNumber is <= 0 or > 32:
                error = XenError.Domain;
                break;
            case MapMultiMsi when request.EntryNumber > 1:
                // Without interrupt remapping several messages share address and data: drivers ask again for a single one.
                error = XenError.NotSupported;
                break;
            case MapMultiMsi:
                error = MapMessage(ref call, in request, 0, 0, ref number);
                break;
            default:
                error = XenError.Invalid;
                break;
        }

        if (error != XenError.None)
        {
            return HypercallResult.From(error);
        }

        request.Pirq = (int)number;
        return GuestMemory.TryWrite(at, request) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    private static XenError MapMessage(ref HypercallCall call, in PhysdevMapPirq request, uint entry, ulong tableBase, ref uint number)
        => Messages.TryMap(ref call.Domain, new PciFunction((byte)request.Bus, (byte)request.DeviceFunction), entry, tableBase, ref number);

    /// <summary>struct physdev_get_free_pirq: type @0, number @4.</summary>
    private static HypercallResult GetFreePirq(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out int type))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (!(type == MapGsi ? Pirqs.TryFindFreeLine(out uint number) : Pirqs.TryFindFreeMessage(out number)))
        {
            return HypercallResult.From(XenError.NoSpace);
        }

        return GuestMemory.TryWrite(at.Add(4), number) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    private static HypercallResult SetEndMap(ref HypercallCall call, GuestAddress at, bool unmasksAtEnd)
        => GuestMemory.TryRead(at, out ulong frame)
            ? HypercallResult.From(Pirqs.TrySetEndMap(ref call.Domain, new Mfn(frame), unmasksAtEnd))
            : HypercallResult.From(XenError.Fault);

    /// <summary>restore_msi: bus @0, function @1; restore_msi_ext: segment @0, bus @2, function @3.</summary>
    private static HypercallResult RestoreMessages(GuestAddress at, bool hasSegment)
    {
        if (!TryReadFunction(at, hasSegment, out PciFunction function, out ushort segment))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (segment != 0 || !function.Exists)
        {
            return HypercallResult.From(XenError.NoDevice);
        }

        Messages.Restore(function);
        return HypercallResult.Success;
    }

    /// <summary>prepare_msix and release_msix: entries are opened when they are mapped, so that nothing is left to prepare.</summary>
    private static HypercallResult PrepareMessages(GuestAddress at)
    {
        if (!TryReadFunction(at, true, out PciFunction function, out ushort segment))
        {
            return HypercallResult.From(XenError.Fault);
        }

        return HypercallResult.From(segment == 0 && Messages.HasTable(function) ? XenError.None : XenError.NoDevice);
    }

    private static bool TryReadFunction(GuestAddress at, bool hasSegment, out PciFunction function, out ushort segment)
    {
        function = default;
        segment = 0;
        if ((hasSegment && !GuestMemory.TryRead(at, out segment)) || !GuestMemory.TryRead(hasSegment ? at.Add(2) : at, out ushort place))
        {
            return false;
        }

        function = new PciFunction((byte)place, (byte)(place >> 8));
        return true;
    }

    private static HypercallResult UnmapPirq(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ushort id) || !GuestMemory.TryRead(at.Add(4), out uint number))
        {
            return HypercallResult.From(XenError.Fault);
        }

        return id == DomainIds.Self || id == call.Vcpu.DomainId
            ? HypercallResult.From(Pirqs.TryUnmap(ref call.Domain, number))
            : HypercallResult.From(XenError.NoSuchDomain);
    }

    /// <summary>Functions are found when an interrupt of theirs is mapped; a report of one is only noted as read.</summary>
    private static HypercallResult PciDevice(GuestAddress at)
        => GuestMemory.TryRead(at, out uint _) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);

    private static HypercallResult SetupGsi(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ulong request))
        {
            return HypercallResult.From(XenError.Fault);
        }

        bool isLevel = ((request >> 32) & 0xFF) != 0;
        bool isActiveLow = ((request >> 40) & 0xFF) != 0;
        return HypercallResult.From(Pirqs.TryConfigureLine((uint)request, isLevel, isActiveLow));
    }
}
