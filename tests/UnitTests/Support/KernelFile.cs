// Small kernels to load.
using System.Buffers.Binary;
using System.IO;
using System.Text;

namespace Xenolith.UnitTests.Support;

/// <summary>ELF64 files with one segment, with or without Xen's notes, and bzImages around a payload.</summary>
internal static class KernelFile
{
    internal const ulong VirtualBase = 0xFFFF_FFFF_8000_0000;
    internal const ulong Entry = VirtualBase + 0x100_0100;

    private const int ProgramHeaders = 64;
    private const int Notes = ProgramHeaders + (2 * 56);

    internal static byte[] WithNotes(uint supportedFeatures = 0x8801)
    {
        using MemoryStream notes = new();
        Note(notes, 1, BitConverter.GetBytes(Entry));
        Note(notes, 3, BitConverter.GetBytes(VirtualBase));
        Note(notes, 4, BitConverter.GetBytes(0UL));
        Note(notes, 5, "xen-3.0\0"u8);
        Note(notes, 9, "yes\0"u8);
        Note(notes, 15, BitConverter.GetBytes(0x80_0000_0000UL));
        Note(notes, 16, BitConverter.GetBytes(1UL));
        Note(notes, 17, BitConverter.GetBytes(supportedFeatures));
        return Elf(notes.ToArray(), []);
    }

    internal static byte[] WithoutNotes() => Elf([], []);

    internal static byte[] WithGuestSection(string text) => Elf([], Encoding.ASCII.GetBytes(text + "\0"));

    /// <summary>A bzImage with a boot sector of four setup sectors; the length it unpacks to ends a gzip payload, and stands behind any other.</summary>
    internal static byte[] BzImage(byte[] payload, int unpackedBytes)
    {
        bool hasLength = payload.Length > 2 && payload[0] == 0x1F && payload[1] == 0x8B;
        byte[] whole = hasLength ? payload : [.. payload, .. BitConverter.GetBytes(unpackedBytes)];
        byte[] image = new byte[(5 * 512) + 16 + whole.Length];
        image[0x1F1] = 4;
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x206), 0x20F);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x248), 16);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x24C), (uint)whole.Length);
        whole.CopyTo(image.AsSpan((5 * 512) + 16));
        return image;
    }

    private static byte[] Elf(byte[] notes, byte[] guestSection)
    {
        byte[] code = new byte[0x800];
        int codeStart = Notes + notes.Length;
        int sections = codeStart + code.Length;
        byte[] names = "\0.shstrtab\0__xen_guest\0"u8.ToArray();
        int namesStart = sections + (3 * 64);
        byte[] file = new byte[namesStart + names.Length + guestSection.Length];
        ReadOnlySpan<byte> identification = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1];
        identification.CopyTo(file);
        Write16(file, 16, 2);
        Write16(file, 18, 62);
        Write64(file, 24, Entry);
        Write64(file, 32, ProgramHeaders);
        Write64(file, 40, guestSection.Length == 0 ? 0 : (ulong)sections);
        Write16(file, 54, 56);
        Write16(file, 56, 2);
        Write16(file, 58, 64);
        Write16(file, 60, (ushort)(guestSection.Length == 0 ? 0 : 3));
        Write16(file, 62, 1);
        ProgramHeader(file, 0, 1, (ulong)codeStart, 0x100_0000, (ulong)code.Length, 0x3000);
        ProgramHeader(file, 1, 4, Notes, 0, (ulong)notes.Length, (ulong)notes.Length);
        notes.CopyTo(file, Notes);
        names.CopyTo(file, namesStart);
        guestSection.CopyTo(file, namesStart + names.Length);
        SectionHeader(file, sections + 64, 1, (ulong)namesStart, (ulong)names.Length);
        SectionHeader(file, sections + 128, 11, (ulong)(namesStart + names.Length), (ulong)guestSection.Length);
        return file;
    }

    private static void Note(MemoryStream stream, uint type, ReadOnlySpan<byte> value)
    {
        stream.Write(BitConverter.GetBytes(4u));
        stream.Write(BitConverter.GetBytes((uint)value.Length));
        stream.Write(BitConverter.GetBytes(type));
        stream.Write("Xen\0"u8);
        stream.Write(value);
        stream.Write(new byte[-value.Length & 3]);
    }

    private static void ProgramHeader(byte[] file, int index, uint type, ulong offset, ulong physical, ulong fileBytes, ulong memoryBytes)
    {
        int at = ProgramHeaders + (index * 56);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), type);
        Write64(file, at + 8, offset);
        Write64(file, at + 16, VirtualBase + physical);
        Write64(file, at + 24, physical);
        Write64(file, at + 32, fileBytes);
        Write64(file, at + 40, memoryBytes);
    }

    private static void SectionHeader(byte[] file, int at, uint name, ulong offset, ulong bytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), name);
        Write64(file, at + 24, offset);
        Write64(file, at + 32, bytes);
    }

    private static void Write16(byte[] file, int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(at), value);

    private static void Write64(byte[] file, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(at), value);
}
