// Message-signalled interrupts of PCI functions.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>
/// MSI and MSI-X (PCI 3.0, 6.8): the hypervisor writes address, data and mask bits; Domain 0 only toggles the enable bits of the
/// capabilities.
/// </summary>
internal static class Messages
{
    private const byte MsiCapability = 0x05;
    private const byte MsiXCapability = 0x11;
    private const int ControlOffset = 2;
    private const uint MsiIsWide = 1 << 7;
    private const uint MsiHasMask = 1 << 8;
    private const ushort MsiXEnable = 1 << 15;
    private const ushort MsiXMaskAll = 1 << 14;
    private const int TableEntryBytes = 16;
    private const uint AddressBase = 0xFEE0_0000;

    /// <summary>
    /// A pirq for a function's MSI (<paramref name="tableAddress"/> 0) or for entry <paramref name="entry"/> of its MSI-X table.
    /// <paramref name="number"/>: in, the number wanted or <see cref="Pirqs.AnyNumber"/>; out, the number given.
    /// Errors: NoDevice (no function, no capability), Invalid (entry, table, number), Exists (number), NoSpace.
    /// </summary>
    internal static XenError TryMap(ref Domain domain, PciFunction function, uint entry, ulong tableAddress, ref uint number)
    {
        if (!function.Exists)
        {
            return XenError.NoDevice;
        }

        if (tableAddress == 0)
        {
            if (function.FindCapability(MsiCapability) == 0)
            {
                return XenError.NoDevice;
            }

            XenError allocation = Pirqs.TryAllocateMessage(ref domain, PirqKind.Msi, ref number);
            if (allocation == XenError.None)
            {
                Pirqs.At(number).Function = function;
            }

            return allocation;
        }

        XenError error = TryLocateEntry(function, entry, out MachineAddress at);
        if (error == XenError.None)
        {
            error = Pirqs.TryAllocateMessage(ref domain, PirqKind.MsiX, ref number);
        }

        if (error == XenError.None)
        {
            Pirqs.At(number).Function = function;
            Pirqs.At(number).TableEntry = at;
        }

        return error;
    }

    /// <summary>Writes address and data, and opens the mask.</summary>
    internal static void Enable(ref Pirq pirq)
    {
        uint address = AddressBase | (LocalApic.DeviceTarget << 12);
        if (pirq.Kind == PirqKind.MsiX)
        {
            OpenTable(pirq.Function);
            Mmio.Write32(pirq.TableEntry, address);
            Mmio.Write32(pirq.TableEntry.Add(4), 0);
            Mmio.Write32(pirq.TableEntry.Add(8), pirq.Vector);
            Mmio.Write32(pirq.TableEntry.Add(12), 0);
            return;
        }

        int capability = pirq.Function.FindCapability(MsiCapability);
        if (capability == 0)
        {
            return;
        }

        uint control = pirq.Function.Read16(capability + ControlOffset);
        pirq.Function.Write32(capability + 4, address);
        int data = capability + 8;
        if ((control & MsiIsWide) != 0)
        {
            pirq.Function.Write32(capability + 8, 0);
            data = capability + 12;
        }

        pirq.Function.Write16(data, pirq.Vector);
        if ((control & MsiHasMask) != 0)
        {
            pirq.Function.Write32(data + 4, 0);
        }
    }

    /// <summary>Whether the function sends messages of that kind.</summary>
    internal static bool HasTable(PciFunction function) => function.Exists && function.FindCapability(MsiXCapability) != 0;

    /// <summary>Writes the messages of a function again, which has lost them in a reset or in sleep.</summary>
    internal static void Restore(PciFunction function)
    {
        for (uint number = Pirqs.LineCount; number < Pirqs.Capacity; number++)
        {
            ref Pirq pirq = ref Pirqs.At(number);
            if (pirq.IsMapped && pirq.Port != 0 && pirq.Function.Bus == function.Bus && pirq.Function.DeviceFunction == function.DeviceFunction)
            {
                Enable(ref pirq);
            }
        }
    }

    /// <summary>Closes the mask where there is one.</summary>
    internal static void Disable(ref Pirq pirq)
    {
        if (pirq.Kind == PirqKind.MsiX)
        {
            Mmio.Write32(pirq.TableEntry.Add(12), 1);
            return;
        }

        int capability = pirq.Function.FindCapability(MsiCapability);
        uint control = capability == 0 ? 0u : pirq.Function.Read16(capability + ControlOffset);
        if ((control & MsiHasMask) != 0)
        {
            pirq.Function.Write32(capability + ((control & MsiIsWide) != 0 ? 16 : 12), 1);
        }
    }

    private static XenError TryLocateEntry(PciFunction function, uint entry, out MachineAddress at)
    {
        at = default;
        int capability = function.FindCapability(MsiXCapability);
        if (capability == 0)
        {
            return XenError.NoDevice;
        }

        uint entries = (function.Read16(capability + ControlOffset) & 0x7FFu) + 1;
        uint table = function.Read32(capability + 4);
        ulong bar = function.MemoryBar((int)(table & 7));
        if (entry >= entries || bar == 0)
        {
            return XenError.Invalid;
        }

        at = new MachineAddress(bar + (table & ~7u) + (entry * TableEntryBytes));

        // The BAR is what Domain 0 has written there: it must lead neither into RAM nor to a device of the hypervisor's.
        if (FrameTable.IsRam(at.Frame) || !PlatformPermissions.MayHoldMessages(at.Frame))
        {
            return XenError.Invalid;
        }

        return Mmio.TryMap(at, TableEntryBytes) ? XenError.None : XenError.NoSpace;
    }

    /// <summary>The table answers only while memory access and MSI-X are on; all entries stay masked by their own bits.</summary>
    private static void OpenTable(PciFunction function)
    {
        int capability = function.FindCapability(MsiXCapability);
        ushort control = function.Read16(capability + ControlOffset);
        if (capability != 0 && (control & MsiXEnable) == 0)
        {
            function.Write16(capability + ControlOffset, (ushort)(control | MsiXEnable | MsiXMaskAll));
        }
    }
}
