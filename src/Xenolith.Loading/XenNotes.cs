// What a PV kernel says about itself.
namespace Xenolith.Loading;

/// <summary>The ELF notes of owner "Xen" (public elfnote.h), or the older text in section __xen_guest.</summary>
internal struct XenNotes
{
    private const ulong Unset = ~0UL;
    private const uint FeatureDom0 = 1 << 11;

    internal bool Any;
    internal ulong Entry;
    internal ulong HypercallPage;
    internal ulong VirtualBase;
    internal ulong PhysicalOffset;
    internal ulong InitialP2m;
    internal ulong HypervisorLow;
    internal bool HasInitialP2m;
    internal bool ModuleStartIsPfn;
    internal bool HasPaeMode;
    internal bool HasSupportedFeatures;
    internal bool HasHypercallPage;
    internal uint SupportedFeatures;

    /// <summary>Reads the notes. Errors: NoXenNotes, NoEntryNote, BadElf.</summary>
    internal static LoadError TryRead(in Elf64 elf, out XenNotes notes)
    {
        notes = new XenNotes { Entry = Unset };
        for (int i = 0; i < elf.SegmentCount; i++)
        {
            Elf64.Segment segment = elf.SegmentAt(i);
            if (segment.IsNote && !notes.TryReadSegment(elf.Contents(in segment)))
            {
                return LoadError.BadElf;
            }
        }

        if (!notes.Any && GuestSection.TryFind(elf.File, out ReadOnlySpan<byte> text))
        {
            notes.Any = true;
            notes.Entry = elf.Entry;
            GuestSection.Parse(text, ref notes);
        }

        return !notes.Any ? LoadError.NoXenNotes : notes.Entry == Unset ? LoadError.NoEntryNote : LoadError.None;
    }

    /// <summary>A kernel that lists what it supports must list being Domain 0.</summary>
    internal readonly bool AllowsDomain0 => !HasSupportedFeatures || (SupportedFeatures & FeatureDom0) != 0;

    private bool TryReadSegment(ReadOnlySpan<byte> notes)
    {
        const int HeaderBytes = 12;
        while (notes.Length >= HeaderBytes)
        {
            uint nameBytes = Bytes.U32(notes, 0);
            uint valueBytes = Bytes.U32(notes, 4);
            uint type = Bytes.U32(notes, 8);
            ulong value = HeaderBytes + (((ulong)nameBytes + 3) & ~3UL);
            ulong end = value + (((ulong)valueBytes + 3) & ~3UL);
            if (value + valueBytes > (ulong)notes.Length)
            {
                return false;
            }

            if (nameBytes == 4 && notes.Slice(HeaderBytes).StartsWith("Xen\0"u8))
            {
                Apply(type, notes.Slice((int)value, (int)valueBytes));
            }

            notes = end >= (ulong)notes.Length ? default : notes.Slice((int)end);
        }

        return true;
    }

    private void Apply(uint type, ReadOnlySpan<byte> value)
    {
        ulong number = value.Length >= 8 ? Bytes.U64(value, 0) : value.Length >= 4 ? Bytes.U32(value, 0) : 0;
        Any = true;
        switch (type)
        {
            case 1: Entry = number; break;
            case 2:
                HypercallPage = number;
                HasHypercallPage = true;
                break;
            case 3: VirtualBase = number; break;
            case 4: PhysicalOffset = number; break;
            case 9: HasPaeMode = value.StartsWith("yes"u8) || value.StartsWith("bimodal"u8); break;
            case 12: HypervisorLow = number; break;
            case 15:
                InitialP2m = number;
                HasInitialP2m = true;
                break;
            case 16: ModuleStartIsPfn = number != 0; break;
            case 17:
                SupportedFeatures |= (uint)number;
                HasSupportedFeatures = true;
                break;
        }
    }
}
