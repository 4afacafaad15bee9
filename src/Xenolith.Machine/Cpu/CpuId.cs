// The CPUID instruction.
namespace Xenolith.Machine;

/// <summary>What the processor says of itself.</summary>
public static unsafe class CpuId
{
    public static CpuIdResult Query(uint leaf, uint subleaf = 0)
    {
        CpuIdResult result;

        // SAFETY: the routine writes exactly the four words of the local.
        Native.CpuId(leaf, subleaf, &result);
        return result;
    }
}
