// Sets of processors or nodes in the caller's memory.
using Xenolith.Abi;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>struct xenctl_bitmap: a pointer and a number of bits. Here a set has at most 64.</summary>
internal static class Bitmaps
{
    private const uint MostBits = 64;

    /// <summary>The first 64 bits of the set whose description is at that address; those that the caller has no room for are 0.</summary>
    internal static bool TryRead(GuestAddress at, out ulong set)
    {
        set = 0;
        return GuestMemory.TryRead(at, out ControlBitmap bitmap) && TryRead(in bitmap, out set);
    }

    internal static bool TryRead(in ControlBitmap bitmap, out ulong set)
    {
        set = 0;
        uint bits = Math.Min(bitmap.Bits, MostBits);
        for (uint i = 0; i < (bits + 7) / 8; i++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(bitmap.Buffer + i), out byte value))
            {
                return false;
            }

            set |= (ulong)value << (int)(i * 8);
        }

        set &= bits == MostBits ? ulong.MaxValue : (1UL << (int)bits) - 1;
        return true;
    }

    /// <summary>Stores the set as far as the caller has room; what is beyond 64 bits is left as it is.</summary>
    internal static bool TryWrite(GuestAddress at, ulong set) => GuestMemory.TryRead(at, out ControlBitmap bitmap) && TryWrite(in bitmap, set);

    internal static bool TryWrite(in ControlBitmap bitmap, ulong set)
    {
        uint bits = Math.Min(bitmap.Bits, MostBits);
        set &= bits == MostBits ? ulong.MaxValue : (1UL << (int)bits) - 1;
        for (uint i = 0; i < (bits + 7) / 8; i++)
        {
            if (!GuestMemory.TryWrite(new GuestAddress(bitmap.Buffer + i), (byte)(set >> (int)(i * 8))))
            {
                return false;
            }
        }

        return true;
    }
}
