// The memory of the running guest, by the addresses it uses itself.
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>
/// Copies through the guest's current page tables. False means that the address is not the guest's, or that the access faulted
/// (some bytes may then have been copied). This is the only place where SMAP is opened.
/// </summary>
public static unsafe class GuestMemory
{
    public static bool TryCopyFrom(GuestAddress from, Span<byte> to)
    {
        if (!from.IsGuestRange((ulong)to.Length))
        {
            return false;
        }

        // SAFETY: the guest range holds nothing of the hypervisor's; the routine survives faults; the span bounds the other side.
        fixed (byte* destination = to)
        {
            return Native.GuestCopy(destination, (void*)from.Value, (nuint)to.Length);
        }
    }

    public static bool TryCopyTo(GuestAddress to, ReadOnlySpan<byte> from)
    {
        if (!to.IsGuestRange((ulong)from.Length))
        {
            return false;
        }

        // SAFETY: as in TryCopyFrom.
        fixed (byte* source = from)
        {
            return Native.GuestCopy((void*)to.Value, source, (nuint)from.Length);
        }
    }

    /// <summary>Copies a struct in, once; default when it cannot be read.</summary>
    [SkipLocalsInit]
    public static bool TryRead<T>(GuestAddress from, out T value)
        where T : unmanaged
    {
        Unsafe.SkipInit(out value);

        // SAFETY: sizeof(T) bytes into the caller's variable, which is cleared when they cannot be had.
        if (from.IsGuestRange((ulong)sizeof(T)) && Read((T*)Unsafe.AsPointer(ref value), (void*)from.Value))
        {
            return true;
        }

        value = default;
        return false;
    }

    // The size is known when the code is compiled: one branch is left of these.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Read<T>(T* to, void* from)
        where T : unmanaged
        => sizeof(T) switch
        {
            8 => Native.GuestRead8(to, from),
            16 => Native.GuestRead16(to, from),
            24 => Native.GuestRead24(to, from),
            _ => Native.GuestCopy(to, from, (nuint)sizeof(T)),
        };

    public static bool TryWrite<T>(GuestAddress to, in T value)
        where T : unmanaged
    {
        T copy = value;

        // SAFETY: sizeof(T) bytes from the local.
        return to.IsGuestRange((ulong)sizeof(T)) && Native.GuestCopy((void*)to.Value, &copy, (nuint)sizeof(T));
    }

    /// <summary>Locked compare-exchange of 8 aligned bytes; <paramref name="seen"/> is what stood there.</summary>
    public static bool TryCompareExchange(GuestAddress at, ulong comparand, ulong value, out ulong seen)
    {
        ulong found = 0;
        bool done = (at.Value & 7) == 0 && at.IsGuestRange(8)
            && Native.GuestCompareExchange((ulong*)at.Value, comparand, value, &found);
        seen = found;
        return done;
    }
}
