// Delays of random length where processors meet, in builds that look for races.
using System.Diagnostics;
using Xenolith.Machine;

namespace Xenolith.Hypervisor;

/// <summary>
/// Stands around the core's lock, the requests to other processors and the way back to guests. The calls exist in
/// <c>./x build --stress</c> only.
/// </summary>
internal static class Stress
{
    private const int Often = 3;
    private const uint LongestPause = 512;

    /// <summary>One time in eight a pause, short ones being the likelier.</summary>
    [Conditional("XENOLITH_STRESS")]
    internal static void Delay()
    {
        ulong random = Tsc.Read() + ((ulong)Cpu.Index << 40) + 1;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if ((random & ((1 << Often) - 1)) != 0)
        {
            return;
        }

        // The shift makes each order of magnitude as likely as the next.
        uint pauses = (uint)(random >> 20) % LongestPause >> (int)((random >> 40) & 7);
        for (uint i = 0; i < pauses; i++)
        {
            Cpu.Pause();
        }
    }
}
