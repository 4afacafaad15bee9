// The clock that a guest reads: vcpu_time_info and the wall clock.
using System.Threading;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Time;

/// <summary>Both are written under a version that is odd meanwhile.</summary>
internal static class VcpuClock
{
    private static ulong s_wallSeconds;
    private static uint s_wallNanoseconds;

    /// <summary>Fills the vcpu's time info; the values hold as long as the TSC is constant.</summary>
    internal static void Update(ref Vcpu vcpu)
    {
        ref VcpuTimeInfo info = ref VcpuInfoPage.Info(ref vcpu).Time;
        Write(ref info);
        if (vcpu.Time.TimeArea != 0)
        {
            Copy(new GuestAddress(vcpu.Time.TimeArea), info);
        }
    }

    /// <summary>The copy has a version of its own, odd while the rest changes.</summary>
    private static void Copy(GuestAddress area, VcpuTimeInfo copy)
    {
        if (!GuestMemory.TryRead(area, out uint version))
        {
            return;
        }

        copy.Version = (version & ~1u) + 1;
        if (!GuestMemory.TryWrite(area, copy.Version))
        {
            return;
        }

        Interlocked.MemoryBarrier();
        GuestMemory.TryWrite(area, in copy);
        Interlocked.MemoryBarrier();
        GuestMemory.TryWrite(area, copy.Version + 1);
    }

    /// <summary>Sets UTC as of a system time in nanoseconds, for all domains.</summary>
    internal static void SetWall(ulong seconds, uint nanoseconds, ulong systemTime)
    {
        const ulong Second = 1_000_000_000;
        ulong past = systemTime / Second;
        uint rest = (uint)(systemTime % Second);
        s_wallSeconds = seconds - past - (nanoseconds < rest ? 1UL : 0);
        s_wallNanoseconds = nanoseconds < rest ? nanoseconds + (uint)Second - rest : nanoseconds - rest;
        for (int id = 0; id < DomainTable.Count; id++)
        {
            if (DomainTable.Exists((uint)id))
            {
                UpdateWall(ref DomainTable.At(id));
            }
        }
    }

    internal static void UpdateWall(ref Domain domain)
    {
        Mfn page = domain.SharedInfo;
        ulong seconds = s_wallSeconds + (ulong)domain.Settings.TimeOffset;
        ref uint version = ref PhysicalMemory.Word32(page, SharedInfoLayout.WallClockVersion);
        Volatile.Write(ref version, (version & ~1u) + 1);
        Interlocked.MemoryBarrier();
        PhysicalMemory.Word32(page, SharedInfoLayout.WallClockSeconds) = (uint)seconds;
        PhysicalMemory.Word32(page, SharedInfoLayout.WallClockNanoseconds) = s_wallNanoseconds;
        PhysicalMemory.Word32(page, SharedInfoLayout.WallClockSecondsHigh) = (uint)(seconds >> 32);
        Interlocked.MemoryBarrier();
        Volatile.Write(ref version, version + 1);
    }

    private static void Write(ref VcpuTimeInfo info)
    {
        uint version = info.Version & ~1u;
        Volatile.Write(ref info.Version, version + 1);
        Interlocked.MemoryBarrier();
        ulong tsc = Tsc.Read();
        info.TscTimestamp = tsc;
        info.SystemTime = SystemTime.ToNanoseconds(tsc - SystemTime.StartTsc);
        info.TscToSystemMultiplier = SystemTime.Multiplier;
        info.TscShift = (sbyte)SystemTime.Shift;
        info.Flags = SystemTime.IsTscStable ? VcpuTimeInfo.TscStable : (byte)0;
        Interlocked.MemoryBarrier();
        Volatile.Write(ref info.Version, version + 2);
    }
}
