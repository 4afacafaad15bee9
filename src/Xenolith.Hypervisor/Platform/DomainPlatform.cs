// What a domain has to do with the machine's devices.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>State of the emulated ports of the domain that owns the hardware.</summary>
public struct DomainPlatform
{
    /// <summary>Last dword written to port 0xCF8: the PCI register that 0xCFC stands for.</summary>
    public uint PciAddress;

    /// <summary>Last byte written to port 0x70: the clock's register that 0x71 stands for.</summary>
    public byte ClockIndex;

    /// <summary>Page in which a set bit says that the pirq of that number needs PHYSDEVOP_eoi, meaningful when <see cref="HasEndMap"/>.</summary>
    public Mfn EndMap;
    public bool HasEndMap;

    /// <summary>PHYSDEVOP_eoi unmasks the event channel as well (version 1 of the map).</summary>
    public bool UnmasksAtEnd;
}
