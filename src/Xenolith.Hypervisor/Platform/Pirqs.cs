// The physical interrupts that domains handle.
using System.Runtime.CompilerServices;
using System.Threading;
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>
/// Numbers below the count of IO-APIC lines are the lines themselves; above are messages. An edge is acknowledged at once; a level
/// line stays masked until the guest has served its device.
/// </summary>
internal static class Pirqs
{
    internal const int Capacity = 256;

    /// <summary>Any free number will do.</summary>
    internal const uint AnyNumber = uint.MaxValue;

    private static Slots s_pirqs;
    private static VectorOwners s_vectorOwners;

    /// <summary>Numbers that lines use.</summary>
    internal static uint LineCount { get; private set; }

    /// <summary>Takes the lines of all IO-APICs; ISA lines behave as the firmware says, others are level and active low as PCI's are.</summary>
    internal static void Initialize()
    {
        LineCount = Math.Min(IoApic.LineCount, Capacity / 2);
        for (uint line = 0; line < LineCount; line++)
        {
            ref Pirq pirq = ref s_pirqs[(int)line];
            if (!Madt.TryGetIsaLine(line, out pirq.IsLevel, out pirq.IsActiveLow))
            {
                pirq.IsLevel = true;
                pirq.IsActiveLow = true;
            }
        }
    }

    internal static ref Pirq At(uint number) => ref s_pirqs[(int)(number % Capacity)];

    /// <summary>PHYSDEVOP_setup_gsi. Errors: Invalid (no such line), Exists (set already, or the hypervisor's own line).</summary>
    internal static XenError TryConfigureLine(uint line, bool isLevel, bool isActiveLow)
    {
        if (line >= LineCount)
        {
            return XenError.Invalid;
        }

        ref Pirq pirq = ref At(line);
        if ((int)line == Interrupts.SerialLine || pirq.IsConfigured || pirq.Port != 0)
        {
            return XenError.Exists;
        }

        pirq.IsLevel = isLevel;
        pirq.IsActiveLow = isActiveLow;
        pirq.IsConfigured = true;
        return XenError.None;
    }

    /// <summary>Makes a line bindable. Errors: Invalid.</summary>
    internal static XenError TryMapLine(ref Domain domain, uint line)
    {
        if (line >= LineCount)
        {
            return XenError.Invalid;
        }

        ref Pirq pirq = ref At(line);
        pirq.Kind = PirqKind.Line;
        pirq.IsMapped = true;
        pirq.DomainId = domain.Id;
        return XenError.None;
    }

    /// <summary>A number for a message: the one that is wanted, or any. Errors: Invalid (a line's), Exists (in use), NoSpace.</summary>
    internal static XenError TryAllocateMessage(ref Domain domain, PirqKind kind, ref uint number)
    {
        if (number == AnyNumber)
        {
            if (!TryFindFreeMessage(out number))
            {
                return XenError.NoSpace;
            }
        }
        else if (number < LineCount || number >= Capacity)
        {
            return XenError.Invalid;
        }
        else if (At(number).IsMapped)
        {
            return XenError.Exists;
        }

        At(number) = new Pirq { Kind = kind, IsMapped = true, DomainId = domain.Id };
        return XenError.None;
    }

    /// <summary>The lowest line that is not mapped, of those that are not ISA's.</summary>
    internal static bool TryFindFreeLine(out uint number)
    {
        const uint IsaLines = 16;
        for (number = IsaLines; number < LineCount; number++)
        {
            if (!At(number).IsMapped)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The lowest number that no message has.</summary>
    internal static bool TryFindFreeMessage(out uint number)
    {
        for (number = LineCount; number < Capacity; number++)
        {
            if (!At(number).IsMapped)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// PHYSDEVOP_pirq_eoi_gmfn: a page of the guest's that says which of its pirqs need PHYSDEVOP_eoi. It stays for good.
    /// Errors: Busy (there is one), Invalid (not a writable page of the domain's).
    /// </summary>
    internal static XenError TrySetEndMap(ref Domain domain, Mfn frame, bool unmasksAtEnd)
    {
        if (domain.Platform.HasEndMap)
        {
            return XenError.Busy;
        }

        if (PageTypes.TryTakeWritable(ref domain, frame) != XenError.None)
        {
            return XenError.Invalid;
        }

        domain.Platform.EndMap = frame;
        domain.Platform.HasEndMap = true;
        domain.Platform.UnmasksAtEnd = unmasksAtEnd;
        for (uint number = 0; number < Capacity; number++)
        {
            if (At(number).Port != 0 && At(number).DomainId == domain.Id)
            {
                NoteEnd(ref domain, number);
            }
        }

        return XenError.None;
    }

    /// <summary>Forgets a mapping; a bound one must be closed first. Errors: Invalid, Busy.</summary>
    internal static XenError TryUnmap(ref Domain domain, uint number)
    {
        if (number >= Capacity || !At(number).IsMapped || At(number).DomainId != domain.Id)
        {
            return XenError.Invalid;
        }

        ref Pirq pirq = ref At(number);
        if (pirq.Port != 0)
        {
            return XenError.Busy;
        }

        if (pirq.Kind != PirqKind.Line)
        {
            Messages.Disable(ref pirq);
            FreeVector(ref pirq);
            pirq = default;
        }

        pirq.IsMapped = false;
        return XenError.None;
    }

    /// <summary>EVTCHNOP_bind_pirq. Errors: Invalid (no such number), NotPermitted (not mapped), Exists (bound), Busy (the hypervisor's own
    /// line), NoSpace (no vector).</summary>
    internal static XenError TryBind(ref Domain domain, uint number, uint port)
    {
        if (number >= Capacity)
        {
            return XenError.Invalid;
        }

        ref Pirq pirq = ref At(number);
        if (!pirq.IsMapped || pirq.DomainId != domain.Id)
        {
            return XenError.NotPermitted;
        }

        if (pirq.Port != 0)
        {
            return XenError.Exists;
        }

        if (pirq.Kind == PirqKind.Line && (int)number == Interrupts.SerialLine)
        {
            return XenError.Busy;
        }

        if (pirq.Vector == 0 && !TryAllocateVector(number, out pirq.Vector))
        {
            return XenError.NoSpace;
        }

        pirq.Port = port;
        pirq.IsWaitingForEnd = false;
        NoteEnd(ref domain, number);
        if (pirq.Kind == PirqKind.Line)
        {
            IoApic.Route(number, pirq.Vector, LocalApic.DeviceTarget, pirq.IsLevel, pirq.IsActiveLow);
            IoApic.SetMask(number, false);
        }
        else
        {
            Messages.Enable(ref pirq);
        }

        return XenError.None;
    }

    /// <summary>The event channel is closed: the source is silenced.</summary>
    internal static void Unbind(ref Domain domain, uint number)
    {
        ref Pirq pirq = ref At(number);
        if (number < Capacity && pirq.DomainId == domain.Id)
        {
            pirq.Port = 0;
            if (pirq.Kind == PirqKind.Line)
            {
                IoApic.SetMask(number, true);
            }
            else
            {
                Messages.Disable(ref pirq);
            }
        }
    }

    /// <summary>Whether the domain has to report the end of this interrupt.</summary>
    internal static bool NeedsEnd(uint number) => number < Capacity && At(number).Kind == PirqKind.Line && At(number).IsLevel;

    /// <summary>PHYSDEVOP_eoi. Errors: Invalid (not the domain's).</summary>
    internal static XenError TryEnd(ref Domain domain, uint number)
    {
        if (number >= Capacity || !At(number).IsMapped || At(number).DomainId != domain.Id)
        {
            return XenError.Invalid;
        }

        ref Pirq pirq = ref At(number);
        if (domain.Platform.UnmasksAtEnd && pirq.Port != 0)
        {
            EventPorts.Unmask(ref domain, pirq.Port);
        }

        if (pirq.IsWaitingForEnd)
        {
            pirq.IsWaitingForEnd = false;
            IoApic.SetMask(number, pirq.Port == 0);
        }

        return XenError.None;
    }

    /// <summary>An interrupt on one of the vectors given out.</summary>
    internal static void OnInterrupt(int vector)
    {
        uint number = s_vectorOwners[vector];
        ref Pirq pirq = ref At(number);
        if (pirq.Vector == vector && pirq.Port != 0)
        {
            if (pirq.Kind == PirqKind.Line && pirq.IsLevel)
            {
                IoApic.SetMask(number, true);
                pirq.IsWaitingForEnd = true;
            }

            EventPorts.SetPending(ref DomainTable.At(pirq.DomainId), pirq.Port);
        }

        LocalApic.EndOfInterrupt();
    }

    /// <summary>Prints the interrupts in use.</summary>
    internal static void Report()
    {
        for (uint number = 0; number < Capacity; number++)
        {
            ref Pirq pirq = ref At(number);
            if (pirq.Port != 0)
            {
                Log.Always("keys"u8).Text("pirq "u8).Decimal((ulong)number).Text(pirq.Kind == PirqKind.Line ? " line"u8 : " message"u8).Text(" vector "u8)
                    .Hex(pirq.Vector).Text(" d"u8).Decimal((ulong)pirq.DomainId).Text(" port "u8).Decimal((ulong)pirq.Port)
                    .Text(pirq.IsWaitingForEnd ? " waits for its end"u8 : ""u8).End();
            }
        }
    }

    /// <summary>Tells the domain's page, if it has one, whether the interrupt needs an end.</summary>
    private static void NoteEnd(ref Domain domain, uint number)
    {
        if (!domain.Platform.HasEndMap)
        {
            return;
        }

        ref ulong word = ref PhysicalMemory.Word(domain.Platform.EndMap, (int)(number / 64));
        ulong bit = 1UL << (int)(number % 64);
        if (NeedsEnd(number))
        {
            Interlocked.Or(ref word, bit);
        }
        else
        {
            Interlocked.And(ref word, ~bit);
        }
    }

    private static bool TryAllocateVector(uint number, out byte vector)
    {
        for (int candidate = Vectors.FirstPirq; candidate <= Vectors.LastPirq; candidate++)
        {
            uint owner = s_vectorOwners[candidate];
            if (candidate != Vectors.GuestSystemCall && At(owner).Vector != candidate)
            {
                s_vectorOwners[candidate] = (byte)number;
                vector = (byte)candidate;
                return true;
            }
        }

        vector = 0;
        return false;
    }

    private static void FreeVector(ref Pirq pirq) => pirq.Vector = 0;

    [InlineArray(Capacity)]
    private struct Slots
    {
        private Pirq _first;
    }

    [InlineArray(256)]
    private struct VectorOwners
    {
        private byte _first;
    }
}
