// An amount of memory as options give it.
namespace Xenolith.Hypervisor.Options;

/// <summary>
/// Bytes, or a fraction of the machine's RAM, or both added; a negative amount is what to leave over
/// (Xen's dom0_mem: "512M", "-256M", "50%", "1G+25%").
/// </summary>
internal readonly struct MemorySize
{
    internal readonly bool IsGiven;
    internal readonly bool IsNegative;
    internal readonly ulong Bytes;
    internal readonly uint Percent;

    internal MemorySize(bool isNegative, ulong bytes, uint percent)
    {
        IsGiven = true;
        IsNegative = isNegative;
        Bytes = bytes;
        Percent = percent;
    }

    /// <summary>Frames of a machine with <paramref name="total"/> frames; never more than that.</summary>
    internal ulong Frames(ulong total)
    {
        ulong frames = Math.Min((Bytes >> 12) + (total / 100 * Percent) + (total % 100 * Percent / 100), total);
        return IsNegative ? total - frames : frames;
    }
}
