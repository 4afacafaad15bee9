// Twin of Memory/GuestMemory.cs: walks the guest's page tables in the fake RAM.
using System.Collections.Generic;

namespace Xenolith.Machine;

/// <summary>
/// The guest's memory through the root in CR3, with a guest that plays foul: <see cref="OnRead"/> lets a test change memory after
/// each read (a second processor of the guest would), and <see cref="KeepsTranslations"/> makes the processor remember every
/// translation until it is told to forget it.
/// </summary>
public static unsafe class GuestMemory
{
    private static readonly Dictionary<ulong, (ulong Frame, bool Writable, ulong Table)>?[] s_translations
        = new Dictionary<ulong, (ulong Frame, bool Writable, ulong Table)>?[ProcessorBlock.Capacity];

    /// <summary>Called after each successful copy from the guest with its address and length.</summary>
    public static Action<ulong, int>? OnRead { get; set; }

    /// <summary>Called after each successful copy to the guest with its address and length.</summary>
    public static Action<ulong, int>? OnWrite { get; set; }

    /// <summary>Whether the processor keeps translations until a flush.</summary>
    public static bool KeepsTranslations { get; set; }

    /// <summary>What the processor remembers: page number of the address, frame, whether it may be written, and the level-1 table that said so.</summary>
    public static IEnumerable<(ulong Page, ulong Frame, bool Writable, ulong Table)> Translations
    {
        get
        {
            foreach ((ulong page, (ulong frame, bool writable, ulong table)) in Own)
            {
                yield return (page, frame, writable, table);
            }
        }
    }

    /// <summary>How many more copies succeed before one faults; negative: all do. Copies after the faulting one succeed again.</summary>
    public static int CopiesUntilFault { get; set; } = -1;

    private static Dictionary<ulong, (ulong Frame, bool Writable, ulong Table)> Own => s_translations[FakeCpu.Index] ??= [];

    public static bool TryCopyFrom(GuestAddress from, Span<byte> to)
    {
        if (!from.IsGuestRange((ulong)to.Length) || !Transfer(from.Value, to, false))
        {
            return false;
        }

        OnRead?.Invoke(from.Value, to.Length);
        return true;
    }

    public static bool TryCopyTo(GuestAddress to, ReadOnlySpan<byte> from)
    {
        fixed (byte* source = from)
        {
            // SAFETY: the span is only read when it is the source.
            if (!to.IsGuestRange((ulong)from.Length) || !Transfer(to.Value, new Span<byte>(source, from.Length), true))
            {
                return false;
            }
        }

        OnWrite?.Invoke(to.Value, from.Length);
        return true;
    }

    public static bool TryRead<T>(GuestAddress from, out T value)
        where T : unmanaged
    {
        T copy = default;

        // SAFETY: sizeof(T) bytes of the local.
        bool done = TryCopyFrom(from, new Span<byte>(&copy, sizeof(T)));
        value = done ? copy : default;
        return done;
    }

    public static bool TryWrite<T>(GuestAddress to, in T value)
        where T : unmanaged
    {
        T copy = value;

        // SAFETY: sizeof(T) bytes of the local.
        return TryCopyTo(to, new ReadOnlySpan<byte>(&copy, sizeof(T)));
    }

    public static bool TryCompareExchange(GuestAddress at, ulong comparand, ulong value, out ulong seen)
    {
        seen = 0;
        if ((at.Value & 7) != 0 || !at.IsGuestRange(8) || !TryTranslate(at.Value, true, out ulong physical))
        {
            return false;
        }

        seen = PhysicalMemory.CompareExchange(new Mfn(physical >> 12), (int)(physical & 0xFFF) / 8, value, comparand);
        return true;
    }

    /// <summary>Where an address leads with the current root: the rules for the hypervisor's own accesses (US and NX do not matter).</summary>
    public static bool TryTranslate(ulong address, bool write, out ulong physical)
    {
        ulong page = address >> 12;
        if (!KeepsTranslations || !Own.TryGetValue(page, out (ulong Frame, bool Writable, ulong Table) found) || (write && !found.Writable))
        {
            if (!TryWalk(address, write, out found))
            {
                physical = 0;
                return false;
            }

            Own[page] = found;
        }

        physical = (found.Frame << 12) | (address & 0xFFF);
        return true;
    }

    internal static void ForgetTranslations() => Own.Clear();

    internal static void ForgetTranslation(ulong address) => Own.Remove(address >> 12);

    internal static void Reset()
    {
        OnRead = null;
        OnWrite = null;
        KeepsTranslations = false;
        CopiesUntilFault = -1;
        Array.Clear(s_translations);
    }

    private static bool Transfer(ulong address, Span<byte> bytes, bool write)
    {
        Interleaving.Access();
        if (CopiesUntilFault >= 0 && CopiesUntilFault-- == 0)
        {
            FakeCpu.Cr2 = address;
            return false;
        }

        while (bytes.Length != 0)
        {
            int piece = Math.Min(bytes.Length, 4096 - (int)(address & 0xFFF));
            if (!TryTranslate(address, write, out ulong physical))
            {
                FakeCpu.Cr2 = address;
                return false;
            }

            // A page table entry can name any frame; where no RAM is, reads give all ones and writes are lost.
            if (physical >> 12 < FakeMachine.FrameCount)
            {
                // SAFETY: the piece stays within one frame of RAM.
                Span<byte> ram = new(FakeMachine.Ram + physical, piece);
                if (write)
                {
                    bytes[..piece].CopyTo(ram);
                }
                else
                {
                    ram.CopyTo(bytes);
                }
            }
            else if (!write)
            {
                bytes[..piece].Fill(0xFF);
            }

            bytes = bytes[piece..];
            address += (ulong)piece;
        }

        return true;
    }

    private static bool TryWalk(ulong address, bool write, out (ulong Frame, bool Writable, ulong Table) found)
    {
        found = default;
        ulong table = FakeCpu.Cr3 & PageTableEntry.FrameMask;
        bool writable = true;
        for (int shift = 39; shift >= 12; shift -= 9)
        {
            if (table >> 12 >= FakeMachine.FrameCount)
            {
                return false;
            }

            // SAFETY: an entry of a frame of RAM, as the processor would read it: whoever owns the frame.
            ref ulong entry = ref *(ulong*)(FakeMachine.Ram + table + (((address >> shift) & 511) * 8));
            if ((entry & PageTableEntry.Present) == 0)
            {
                return false;
            }

            writable &= (entry & PageTableEntry.Writable) != 0;
            bool isLeaf = shift == 12 || (shift < 39 && (entry & PageTableEntry.LargePage) != 0);
            if (isLeaf && write && !writable)
            {
                return false;
            }

            entry |= PageTableEntry.Accessed | (isLeaf && write ? PageTableEntry.Dirty : 0);
            ulong leaf = table >> 12;
            table = entry & PageTableEntry.FrameMask;
            if (isLeaf)
            {
                ulong offset = address & ((1UL << shift) - 1);
                found = (((table & ~((1UL << shift) - 1)) + offset) >> 12, writable, leaf);
                return true;
            }
        }

        return false;
    }
}
