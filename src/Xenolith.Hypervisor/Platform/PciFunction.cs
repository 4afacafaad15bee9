// A function on the PCI bus, and its configuration space.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>Segment 0, bus, device and function. Configuration space goes through ports 0xCF8 and 0xCFC (PCI 3.0, 3.2.2.3.2).</summary>
internal readonly struct PciFunction
{
    private const ushort AddressPort = 0xCF8;
    private const ushort DataPort = 0xCFC;
    private const uint Enable = 1u << 31;
    private const int StatusAndCommand = 0x04;
    private const int CapabilityPointer = 0x34;
    private const int MaximumCapabilities = 48;

    internal readonly byte Bus;
    internal readonly byte DeviceFunction;

    internal PciFunction(byte bus, byte deviceFunction)
    {
        Bus = bus;
        DeviceFunction = deviceFunction;
    }

    internal bool Exists => (Read32(0) & 0xFFFF) != 0xFFFF;

    internal uint Read32(int register)
    {
        Select(register);
        return Ports.In32(DataPort);
    }

    internal ushort Read16(int register)
    {
        Select(register);
        return Ports.In16((ushort)(DataPort + (register & 2)));
    }

    internal void Write32(int register, uint value)
    {
        Select(register);
        Ports.Out32(DataPort, value);
    }

    internal void Write16(int register, ushort value)
    {
        Select(register);
        Ports.Out16((ushort)(DataPort + (register & 2)), value);
    }

    /// <summary>Offset of a capability, 0 when the function does not have it.</summary>
    internal int FindCapability(byte id)
    {
        const uint HasList = 1 << 20;
        if ((Read32(StatusAndCommand) & HasList) == 0)
        {
            return 0;
        }

        int at = (int)(Read32(CapabilityPointer) & 0xFC);
        for (int i = 0; i < MaximumCapabilities && at >= 0x40; i++)
        {
            uint header = Read32(at);
            if ((byte)header == id)
            {
                return at;
            }

            at = (int)(header >> 8) & 0xFC;
        }

        return 0;
    }

    /// <summary>Address of a memory BAR (0 to 5), 0 when it is none or empty.</summary>
    internal ulong MemoryBar(int index)
    {
        if (index > 5)
        {
            return 0;
        }

        uint low = Read32(0x10 + (index * 4));
        if ((low & 1) != 0)
        {
            return 0;
        }

        bool isWide = (low & 6) == 4 && index < 5;
        return (low & ~0xFUL) | (isWide ? (ulong)Read32(0x14 + (index * 4)) << 32 : 0);
    }

    private void Select(int register)
        => Ports.Out32(AddressPort, Enable | ((uint)Bus << 16) | ((uint)DeviceFunction << 8) | ((uint)register & 0xFC));
}
