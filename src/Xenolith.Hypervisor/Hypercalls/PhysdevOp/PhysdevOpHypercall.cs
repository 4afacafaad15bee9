// physdev_op: interrupts and PCI devices for the domain that drives the hardware.
using Xenolith.Abi;
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
            21 => SetupGsi(at),
            22 => GuestMemory.TryWrite(at, (uint)Pirqs.Capacity) ? HypercallResult.Success : HypercallResult.From(XenError.Fault),
            24 or 30 or 31 => HypercallResult.Success,
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

        if (number >= Pirqs.LineCount)
        {
            return HypercallResult.From(XenError.Invalid);
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
            return HypercallResult.From(XenError.NotImplemented);
        }

        uint number = (uint)request.Index;
        XenError error;
        switch (request.Type)
        {
            case MapGsi:
                // Lines keep their numbers: another one cannot be asked for.
                error = request.Pirq >= 0 && request.Pirq != request.Index ? XenError.Invalid : Pirqs.TryMapLine(ref call.Domain, number);
                break;
            case MapMsi:
            case MapMsiSegment:
                bool otherSegment = request.Type == MapMsiSegment && request.Bus >> 16 != 0;
                PciFunction function = new((byte)request.Bus, (byte)request.DeviceFunction);
                error = otherSegment ? XenError.NoDevice : Messages.TryMap(ref call.Domain, function, (uint)request.EntryNumber, request.TableBase, out number);
                break;
            case MapMultiMsi:
                // One message each: drivers ask again for a single one.
                error = XenError.NotSupported;
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
