// RAM before the frame allocator: what is taken and what is left.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot;

/// <summary>A list of taken ranges over the RAM of the machine's memory map.</summary>
internal static class BootMemory
{
    private const int Capacity = BootInformation.MaximumModules + 32;

    private static Ranges s_taken;
    private static int s_count;

    /// <summary>RAM of the machine in frames, the first MiB left out.</summary>
    internal static ulong RamFrames { get; private set; }

    /// <summary>RAM of the machine in frames, the first MiB counted.</summary>
    internal static ulong AllRamFrames { get; private set; }

    /// <summary>One more than the highest frame of RAM.</summary>
    internal static ulong EndFrame { get; private set; }

    /// <summary>Counts RAM; the first MiB is never used as memory.</summary>
    internal static void Initialize()
    {
        for (int i = 0; i < MachineMemoryMap.Count; i++)
        {
            E820Entry entry = MachineMemoryMap.EntryAt(i);
            AllRamFrames += entry.Type == E820Entry.Ram ? entry.Bytes >> 12 : 0;
            if (TryRamRange(i, out ulong first, out ulong end))
            {
                RamFrames += end - first;
                EndFrame = Math.Max(EndFrame, end);
            }
        }
    }

    /// <summary>Marks frames as taken.</summary>
    internal static void Take(Mfn first, ulong count)
    {
        Fatal.Assert(s_count < Capacity, "too many boot modules"u8);
        s_taken[s_count++] = new FrameRange { First = first.Value, End = first.Value + count };
    }

    /// <summary>The lowest free range of at least that many frames, all of it below 4 GiB; its whole length in <paramref name="available"/>.</summary>
    internal static bool TryFind(ulong count, out Mfn first, out ulong available)
    {
        const ulong Limit = 1 << 20;
        for (int i = 0; i < MachineMemoryMap.Count; i++)
        {
            if (!TryRamRange(i, out ulong at, out ulong end))
            {
                continue;
            }

            while (TryFreeRange(ref at, Math.Min(end, Limit), out FrameRange free))
            {
                if (free.End - free.First >= count)
                {
                    first = new Mfn(free.First);
                    available = free.End - free.First;
                    return true;
                }
            }
        }

        first = Mfn.Invalid;
        available = 0;
        return false;
    }

    /// <summary>Puts all RAM into the frame table as the hypervisor's, and what is free into the allocator.</summary>
    internal static void GiveToAllocator()
    {
        FrameAllocator.Initialize();
        for (int i = 0; i < MachineMemoryMap.Count; i++)
        {
            if (!TryRamRange(i, out ulong at, out ulong end))
            {
                continue;
            }

            FrameTable.Reserve(new Mfn(at), end - at);
            while (TryFreeRange(ref at, end, out FrameRange free))
            {
                FrameAllocator.AddRange(new Mfn(free.First), free.End - free.First);
            }
        }
    }

    /// <summary>Takes the first free range from <paramref name="at"/> on, and moves behind it.</summary>
    private static bool TryFreeRange(ref ulong at, ulong end, out FrameRange free)
    {
        free = default;
        while (at < end)
        {
            ulong stop = end;
            bool isTaken = false;
            for (int i = 0; i < s_count; i++)
            {
                FrameRange taken = s_taken[i];
                if (at >= taken.First && at < taken.End)
                {
                    at = taken.End;
                    isTaken = true;
                }
                else if (taken.First > at)
                {
                    stop = Math.Min(stop, taken.First);
                }
            }

            if (!isTaken)
            {
                free = new FrameRange { First = at, End = stop };
                at = stop;
                return true;
            }
        }

        return false;
    }

    private static bool TryRamRange(int index, out ulong first, out ulong end)
    {
        E820Entry entry = MachineMemoryMap.EntryAt(index);
        first = Math.Max(entry.Address >> 12, FrameTable.LowFrames);
        end = (entry.Address + entry.Bytes) >> 12;
        return entry.Type == E820Entry.Ram && end > first;
    }

    private struct FrameRange
    {
        internal ulong First;
        internal ulong End;
    }

    [InlineArray(Capacity)]
    private struct Ranges
    {
        private FrameRange _first;
    }
}
