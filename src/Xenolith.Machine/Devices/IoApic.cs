// The interrupt lines of the machine.
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>All IO-APICs as one row of global system interrupts (Intel 82093AA data sheet). A line nobody has is ignored.</summary>
public static class IoApic
{
    /// <summary>Most IO-APICs that are used.</summary>
    public const int Capacity = 8;

    private const int WindowOffset = 0x10;
    private const uint VersionRegister = 1;
    private const uint FirstEntry = 0x10;
    private const uint MaskedBit = 1 << 16;
    private const uint LevelBit = 1 << 15;
    private const uint ActiveLowBit = 1 << 13;

    private static Units s_units;

    /// <summary>How many IO-APICs there are.</summary>
    public static int Count { get; private set; }

    /// <summary>One more than the highest line.</summary>
    public static uint LineCount { get; private set; }

    /// <summary>Adds an IO-APIC whose first line is <paramref name="firstLine"/>; masks all its lines.</summary>
    public static void Add(uint id, MachineAddress address, uint firstLine)
    {
        if (Count >= Capacity)
        {
            return;
        }

        Mmio.Map(address, 4096);
        ref Unit unit = ref s_units[Count];
        unit.Id = id;
        unit.Address = address;
        unit.FirstLine = firstLine;
        unit.Lines = ((ReadRegister(address, VersionRegister) >> 16) & 0xFF) + 1;
        Count++;
        LineCount = Math.Max(LineCount, firstLine + unit.Lines);
        for (uint pin = 0; pin < unit.Lines; pin++)
        {
            WriteRegister(address, FirstEntry + (pin * 2), MaskedBit);
            WriteRegister(address, FirstEntry + (pin * 2) + 1, 0);
        }
    }

    /// <summary>Physical address of one of the IO-APICs.</summary>
    public static MachineAddress AddressOf(int index) => s_units[index & (Capacity - 1)].Address;

    /// <summary>Registers 0 to 2 (id, version, arbitration) of the IO-APIC at an address; false if there is none or another register is asked for.</summary>
    public static bool TryReadIdentification(MachineAddress address, uint register, out uint value)
    {
        value = 0;
        for (int i = 0; i < Count && register <= 2; i++)
        {
            if (s_units[i].Address.Value == address.Value)
            {
                value = ReadRegister(address, register);
                return true;
            }
        }

        return false;
    }

    /// <summary>Routes a line to a vector of one processor, masked.</summary>
    public static void Route(uint line, byte vector, uint apicId, bool isLevel, bool isActiveLow)
    {
        if (TryFind(line, out MachineAddress address, out uint pin))
        {
            WriteRegister(address, FirstEntry + (pin * 2) + 1, apicId << 24);
            WriteRegister(address, FirstEntry + (pin * 2), MaskedBit | vector | (isLevel ? LevelBit : 0) | (isActiveLow ? ActiveLowBit : 0));
        }
    }

    /// <summary>Masks or unmasks a line that has been routed.</summary>
    public static void SetMask(uint line, bool isMasked)
    {
        if (TryFind(line, out MachineAddress address, out uint pin))
        {
            uint entry = ReadRegister(address, FirstEntry + (pin * 2));
            WriteRegister(address, FirstEntry + (pin * 2), isMasked ? entry | MaskedBit : entry & ~MaskedBit);
        }
    }

    private static bool TryFind(uint line, out MachineAddress address, out uint pin)
    {
        for (int i = 0; i < Count; i++)
        {
            if (line - s_units[i].FirstLine < s_units[i].Lines)
            {
                address = s_units[i].Address;
                pin = line - s_units[i].FirstLine;
                return true;
            }
        }

        address = default;
        pin = 0;
        return false;
    }

    private static uint ReadRegister(MachineAddress address, uint register)
    {
        Mmio.Write32(address, register);
        return Mmio.Read32(address.Add(WindowOffset));
    }

    private static void WriteRegister(MachineAddress address, uint register, uint value)
    {
        Mmio.Write32(address, register);
        Mmio.Write32(address.Add(WindowOffset), value);
    }

    private struct Unit
    {
        internal uint Id;
        internal uint FirstLine;
        internal uint Lines;
        internal MachineAddress Address;
    }

    [InlineArray(Capacity)]
    private struct Units
    {
        private Unit _first;
    }
}
