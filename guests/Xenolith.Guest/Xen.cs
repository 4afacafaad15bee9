// Hypercalls.
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>The plain call, and the ones that nearly every guest needs.</summary>
internal static unsafe class Xen
{
    internal static long Call(HypercallNumber number, ulong first = 0, ulong second = 0, ulong third = 0, ulong fourth = 0, ulong fifth = 0) =>
        Native.Hypercall((ulong)number, first, second, third, fourth, fifth);

    internal static long SetTrap(byte vector, ulong address, byte privilege = 0, bool mask = false)
    {
        TrapInfo* table = stackalloc TrapInfo[2];
        table[0] = new TrapInfo { Vector = vector, Flags = (byte)(privilege | (mask ? 4 : 0)), Cs = Selectors.FlatCode64, Address = address };
        table[1] = default;
        return Call(HypercallNumber.SetTrapTable, (ulong)table);
    }

    internal static long RegisterCallback(ushort type, byte* address, bool mask)
    {
        CallbackRegister argument = new() { Type = type, Flags = mask ? (ushort)1 : (ushort)0, Address = (ulong)address };
        return Call(HypercallNumber.CallbackOp, 0, (ulong)(&argument));
    }

    internal static long UpdateVaMapping(ulong address, ulong entry, ulong flags = 2) =>
        Call(HypercallNumber.UpdateVaMapping, address, entry, flags);

    internal static long MmuUpdate(ulong pointer, ulong value, ulong foreign = DomainIds.Self)
    {
        MmuUpdate request = new() { Pointer = pointer, Value = value };
        return Call(HypercallNumber.MmuUpdate, (ulong)(&request), 1, 0, foreign);
    }

    internal static long MmuExtended(MmuExtendedCommand command, ulong first, ulong second = 0, ulong foreign = DomainIds.Self)
    {
        MmuExtendedOp request = new() { Command = (uint)command, Argument1 = first, Argument2 = second };
        return Call(HypercallNumber.MmuExtendedOp, (ulong)(&request), 1, 0, foreign);
    }

    internal static long EventChannel(uint operation, void* argument) => Call(HypercallNumber.EventChannelOp, operation, (ulong)argument);

    /// <summary>A reset, which ./x boot --guest makes the end of QEMU: it needs no ACPI in the guest on any hypervisor.</summary>
    internal static void EndMachine()
    {
        uint reason = (uint)ShutdownReason.Reboot;
        while (true)
        {
            Call(HypercallNumber.SchedOp, 2, (ulong)(&reason));
        }
    }
}
