// A virtual address that a guest named.
using Xenolith.Abi;

namespace Xenolith.Machine;

/// <summary>A guest virtual address: an allegation; it is reached only through <c>GuestMemory</c>.</summary>
public readonly struct GuestAddress
{
    /// <summary>First address of the range that the hypervisor owns in every address space (L4 slot 256).</summary>
    public const ulong HypervisorStart = HypervisorRange.Start;

    /// <summary>First address after the hypervisor's range (L4 slot 272).</summary>
    public const ulong HypervisorEnd = HypervisorRange.End;

    private const ulong LowerHalfEnd = 0x0000_8000_0000_0000;

    public readonly ulong Value;

    public GuestAddress(ulong value) => Value = value;

    public GuestAddress Add(ulong bytes) => new(Value + bytes);

    /// <summary>Whether a 48-bit processor accepts the address.</summary>
    public static bool IsCanonical(ulong value) => (ulong)((long)(value << 16) >> 16) == value;

    /// <summary>Whether all of [Value, Value + bytes) is the guest's to use: canonical, no wrap, none of it the hypervisor's.</summary>
    public bool IsGuestRange(ulong bytes)
    {
        ulong end = Value + bytes;
        if (end < Value)
        {
            return false;
        }

        return end <= LowerHalfEnd || Value >= HypervisorEnd;
    }
}
