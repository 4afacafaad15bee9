// The older way for a PV kernel to describe itself: a text in a section.

namespace Xenolith.Loading;

/// <summary>Section __xen_guest: NAME=value pairs separated by commas (Xen 3.0 guests).</summary>
internal static class GuestSection
{
    private const int SectionHeaderBytes = 64;

    internal static bool TryFind(ReadOnlySpan<byte> file, out ReadOnlySpan<byte> text)
    {
        text = default;
        ulong table = Bytes.U64(file, 40);
        int count = Bytes.U16(file, 60);
        int names = Bytes.U16(file, 62);
        if (Bytes.U16(file, 58) != SectionHeaderBytes || names >= count
            || table > (ulong)file.Length || (ulong)(count * SectionHeaderBytes) > (ulong)file.Length - table
            || !TrySection(file, (int)table + (names * SectionHeaderBytes), out ReadOnlySpan<byte> strings))
        {
            return false;
        }

        for (int i = 0; i < count; i++)
        {
            int header = (int)table + (i * SectionHeaderBytes);
            uint name = Bytes.U32(file, header);
            if (name < (uint)strings.Length && strings.Slice((int)name).StartsWith("__xen_guest\0"u8))
            {
                return TrySection(file, header, out text);
            }
        }

        return false;
    }

    internal static void Parse(ReadOnlySpan<byte> text, ref XenNotes notes)
    {
        int end = text.IndexOf((byte)0);
        text = end < 0 ? text : text.Slice(0, end);
        while (Words.TryNextPart(ref text, out ReadOnlySpan<byte> part))
        {
            int equals = part.IndexOf((byte)'=');
            ReadOnlySpan<byte> name = equals < 0 ? part : part.Slice(0, equals);
            ReadOnlySpan<byte> value = equals < 0 ? default : part.Slice(equals + 1);
            bool isNumber = Words.TryNumber(value, out ulong number);
            if (name.SequenceEqual("VIRT_BASE"u8) && isNumber)
            {
                notes.VirtualBase = number;
            }
            else if (name.SequenceEqual("VIRT_ENTRY"u8) && isNumber)
            {
                notes.Entry = number;
            }
            else if (name.SequenceEqual("ELF_PADDR_OFFSET"u8) && isNumber)
            {
                notes.PhysicalOffset = number;
            }
            else if (name.SequenceEqual("HYPERCALL_PAGE"u8) && isNumber)
            {
                // A page number relative to the base, in this form.
                notes.HypercallPage = number << 12;
                notes.HasHypercallPage = true;
            }
            else if (name.SequenceEqual("PAE"u8))
            {
                notes.HasPaeMode = !value.SequenceEqual("no"u8);
            }
        }

        notes.HypercallPage += notes.HasHypercallPage ? notes.VirtualBase : 0;
    }

    private static bool TrySection(ReadOnlySpan<byte> file, int header, out ReadOnlySpan<byte> contents)
    {
        ulong offset = Bytes.U64(file, header + 24);
        ulong bytes = Bytes.U64(file, header + 32);
        contents = default;
        if (offset > (ulong)file.Length || bytes > (ulong)file.Length - offset)
        {
            return false;
        }

        contents = file.Slice((int)offset, (int)bytes);
        return true;
    }
}
