// What a domain has to do with the machine's devices.
namespace Xenolith.Hypervisor.Platform;

/// <summary>State of the emulated ports of the domain that owns the hardware.</summary>
public struct DomainPlatform
{
    /// <summary>Last dword written to port 0xCF8: the PCI register that 0xCFC stands for.</summary>
    public uint PciAddress;

    /// <summary>Last byte written to port 0x70: the clock's register that 0x71 stands for.</summary>
    public byte ClockIndex;
}
