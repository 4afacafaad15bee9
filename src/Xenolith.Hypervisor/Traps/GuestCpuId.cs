// What CPUID tells a PV guest's kernel.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>The processor's answers less what a PV guest cannot have, and the hypervisor's own leaves.</summary>
internal static class GuestCpuId
{
    private const uint HypervisorBase = 0x4000_0000;
    private const uint HypervisorHighest = HypervisorBase + 5;
    private const uint Leaf1EcxKept = 0x7ED8_3203;
    private const uint Leaf1EdxKept = 0x0FC9_D3F5;
    private const uint Leaf7EbxKept = 0x218C_0329;
    private const uint AmdEcxKept = 0x0000_0561;
    private const uint AmdEdxKept = 0xEFD3_FBFF & ~((1u << 26) | (1u << 13) | (1u << 17) | (1u << 1) | (1u << 3) | (1u << 12));
    private const uint HypervisorBit = 1u << 31;
    private const uint XsaveBit = 1u << 26;
    private const uint OsXsaveBit = 1u << 27;
    private const uint MtrrBit = 1u << 12;
    private const uint InvariantTscBit = 1u << 8;
    private const uint TscReliableBit = 1u << 1;
    private const uint TscNeverEmulated = 2;

    internal static CpuIdResult Query(ref Vcpu vcpu, uint leaf, uint subleaf) => Query(ref vcpu.Domain, (uint)vcpu.Id, leaf, subleaf);

    /// <summary>What a vcpu of the domain would be told, whether it exists or not.</summary>
    internal static CpuIdResult Query(ref Domain domain, uint vcpuId, uint leaf, uint subleaf)
    {
        if (leaf is >= HypervisorBase and < HypervisorBase + 0x1_0000)
        {
            return QueryHypervisor(leaf, subleaf);
        }

        CpuIdResult result = CpuId.Query(leaf, subleaf);
        domain.Features.Mask(leaf, subleaf, ref result);
        switch (leaf)
        {
            case 0:
                result.Eax = Math.Min(result.Eax, 0xDu);
                break;
            case 1:
                result.Ebx = (result.Ebx & 0x0000_FFFF) | (vcpuId << 25) | 0x0001_0000;
                result.Ecx = (result.Ecx & Leaf1EcxKept) | HypervisorBit;
                result.Ecx |= (result.Ecx & XsaveBit) != 0 ? OsXsaveBit : 0;
                result.Edx &= Leaf1EdxKept & ~MtrrBit;
                break;
            case 7:
                result.Ebx = subleaf == 0 ? result.Ebx & Leaf7EbxKept : 0;
                result.Ecx = subleaf == 0 ? result.Ecx & 0x0000_0600 : 0;
                result.Edx = 0;
                result.Eax = 0;
                break;
            case 0xD:
                MaskXsave(subleaf, ref result);
                break;
            case 5 or 6 or 0xA or 0xB or 0x8000_000A or 0x8000_001F:
                result = default;
                break;
            case 0x8000_0000:
                result.Eax = Math.Min(result.Eax, 0x8000_0008u);
                break;
            case 0x8000_0001:
                result.Ecx &= AmdEcxKept;
                result.Edx &= AmdEdxKept;
                break;
            case 0x8000_0007:
                result = new CpuIdResult { Edx = SystemTime.IsTscStable ? InvariantTscBit : 0 };
                break;
            case 0x8000_0008:
                result.Ecx = 0;
                result.Ebx &= 1;
                break;
            default:
                if (leaf is (> 0xD and < HypervisorBase) or > 0x8000_0008)
                {
                    result = default;
                }

                break;
        }

        return result;
    }

    private static void MaskXsave(uint subleaf, ref CpuIdResult result)
    {
        ulong mask = CpuFeatures.XsaveMask;
        if (mask == 0)
        {
            result = default;
        }
        else if (subleaf == 0)
        {
            result.Eax &= (uint)mask;
            result.Edx = 0;
            result.Ecx = Math.Min(result.Ecx, (uint)Fpu.AreaBytes);
            result.Ebx = Math.Min(result.Ebx, result.Ecx);
        }
        else if (subleaf == 1)
        {
            result.Eax &= 7;
            result.Ebx = result.Ecx = result.Edx = 0;
        }
        else if (subleaf > 62 || ((mask >> (int)subleaf) & 1) == 0)
        {
            result = default;
        }
    }

    private static CpuIdResult QueryHypervisor(uint leaf, uint subleaf)
    {
        CpuIdResult result = default;
        switch (leaf)
        {
            case HypervisorBase:
                result.Eax = HypervisorHighest;
                result.Ebx = 0x566E_6558;
                result.Ecx = 0x6558_4D4D;
                result.Edx = 0x4D4D_566E;
                break;
            case HypervisorBase + 1:
                result.Eax = 0x0004_0011;
                break;
            case HypervisorBase + 2:
                result.Eax = 1;
                result.Ebx = HypervisorBase;
                result.Ecx = 1;
                break;
            case HypervisorBase + 3 when subleaf == 0:
                result.Eax = SystemTime.IsTscStable ? TscReliableBit : 0;
                result.Ebx = TscNeverEmulated;
                result.Ecx = (uint)SystemTime.TscKilohertz;
                break;
            case HypervisorBase + 3 when subleaf == 1:
                result.Ecx = SystemTime.Multiplier;
                result.Edx = (uint)SystemTime.Shift;
                break;
            case HypervisorBase + 3 when subleaf == 2:
                result.Eax = (uint)SystemTime.TscKilohertz;
                break;
            case HypervisorBase + 5 when subleaf == 0:
                result.Ebx = (uint)CpuFeatures.PhysicalAddressBits;
                break;
            default:
                break;
        }

        return result;
    }
}
