// Processor features that the toolstack keeps from a domain.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>
/// The words of CPUID that list features, as the toolstack wants them; a bit that is 0 here is 0 for the domain. A set bit promises
/// nothing: what a guest cannot have stays away. All zero: nothing has been said.
/// </summary>
public struct DomainFeatures
{
    private const uint XsaveInUseAndHypervisor = (1u << 27) | (1u << 31);

    private bool _isSet;
    private CpuIdResult _basic;
    private CpuIdResult _structured;
    private CpuIdResult _extended;
    private uint _xsaveWays;
    private uint _power;
    private uint _sizes;

    /// <summary>Allows everything, before <see cref="Set"/> takes away.</summary>
    internal static DomainFeatures All() => new()
    {
        _isSet = true,
        _basic = AllOnes,
        _structured = AllOnes,
        _extended = AllOnes,
        _xsaveWays = uint.MaxValue,
        _power = uint.MaxValue,
        _sizes = uint.MaxValue,
    };

    private static CpuIdResult AllOnes => new() { Eax = uint.MaxValue, Ebx = uint.MaxValue, Ecx = uint.MaxValue, Edx = uint.MaxValue };

    /// <summary>Takes over the features of one leaf; leaves that list none are passed by.</summary>
    internal void Set(uint leaf, uint subleaf, CpuIdResult value)
    {
        switch (leaf)
        {
            case 1: _basic = value; break;
            case 7 when subleaf == 0: _structured = value; break;
            case 0xD when subleaf == 1: _xsaveWays = value.Eax; break;
            case 0x8000_0001: _extended = value; break;
            case 0x8000_0007: _power = value.Edx; break;
            case 0x8000_0008: _sizes = value.Ebx; break;
        }
    }

    internal readonly void Mask(uint leaf, uint subleaf, ref CpuIdResult result)
    {
        if (!_isSet)
        {
            return;
        }

        switch (leaf)
        {
            case 1:
                result.Ecx &= _basic.Ecx | XsaveInUseAndHypervisor;
                result.Edx &= _basic.Edx;
                break;
            case 7 when subleaf == 0:
                result.Ebx &= _structured.Ebx;
                result.Ecx &= _structured.Ecx;
                result.Edx &= _structured.Edx;
                break;
            case 0xD when subleaf == 1: result.Eax &= _xsaveWays; break;
            case 0x8000_0001:
                result.Ecx &= _extended.Ecx;
                result.Edx &= _extended.Edx;
                break;
            case 0x8000_0007: result.Edx &= _power; break;
            case 0x8000_0008: result.Ebx &= _sizes; break;
        }
    }
}
