// ELF files of 64-bit x86 kernels.
namespace Xenolith.Loading;

/// <summary>Program headers of an ELF64 executable (ELF specification, x86-64 supplement). All offsets are checked by Open.</summary>
internal ref struct Elf64
{
    private const int HeaderBytes = 64;
    private const int ProgramHeaderBytes = 56;
    private const byte Class64 = 2;
    private const byte LittleEndian = 1;
    private const ushort MachineX8664 = 62;
    private const uint Load = 1;
    private const uint Note = 4;
    private const ulong AddressLimit = 1UL << 46;

    private ReadOnlySpan<byte> _file;
    private int _programHeaders;

    private static ReadOnlySpan<byte> Magic => [0x7F, 0x45, 0x4C, 0x46];

    internal int SegmentCount { get; private set; }

    internal readonly ulong Entry => Bytes.U64(_file, 24);

    internal readonly ReadOnlySpan<byte> File => _file;

    internal static bool IsMagic(ReadOnlySpan<byte> file) => file.Length >= HeaderBytes && file.StartsWith(Magic);

    /// <summary>Checks the headers and every segment's file range. Errors: NotAKernel, Not64Bit, BadElf, Truncated.</summary>
    internal static LoadError TryOpen(ReadOnlySpan<byte> file, out Elf64 elf)
    {
        elf = default;
        if (!IsMagic(file))
        {
            return LoadError.NotAKernel;
        }

        if (file[4] != Class64 || file[5] != LittleEndian || Bytes.U16(file, 18) != MachineX8664)
        {
            return LoadError.Not64Bit;
        }

        ulong offset = Bytes.U64(file, 32);
        int count = Bytes.U16(file, 56);
        if (Bytes.U16(file, 54) != ProgramHeaderBytes || count == 0 || count > 64)
        {
            return LoadError.BadElf;
        }

        if (offset > (ulong)file.Length || (ulong)(count * ProgramHeaderBytes) > (ulong)file.Length - offset)
        {
            return LoadError.Truncated;
        }

        elf._file = file;
        elf._programHeaders = (int)offset;
        elf.SegmentCount = count;
        for (int i = 0; i < count; i++)
        {
            Segment segment = elf.SegmentAt(i);
            if (!segment.IsLoad && !segment.IsNote)
            {
                continue;
            }

            if (segment.Offset > (ulong)file.Length || segment.FileBytes > (ulong)file.Length - segment.Offset)
            {
                return LoadError.Truncated;
            }

            if (segment.IsLoad && (segment.FileBytes > segment.MemoryBytes || segment.Physical > AddressLimit || segment.MemoryBytes > AddressLimit))
            {
                return LoadError.BadElf;
            }
        }

        return LoadError.None;
    }

    internal readonly Segment SegmentAt(int index)
    {
        ReadOnlySpan<byte> header = _file.Slice(_programHeaders + (index * ProgramHeaderBytes), ProgramHeaderBytes);
        return new Segment
        {
            Type = Bytes.U32(header, 0),
            Offset = Bytes.U64(header, 8),
            Physical = Bytes.U64(header, 24),
            FileBytes = Bytes.U64(header, 32),
            MemoryBytes = Bytes.U64(header, 40),
        };
    }

    /// <summary>The bytes of a segment in the file.</summary>
    internal readonly ReadOnlySpan<byte> Contents(scoped in Segment segment) => _file.Slice((int)segment.Offset, (int)segment.FileBytes);

    /// <summary>One program header.</summary>
    internal struct Segment
    {
        internal uint Type;
        internal ulong Offset;
        internal ulong Physical;
        internal ulong FileBytes;
        internal ulong MemoryBytes;

        internal readonly bool IsLoad => Type == Load && MemoryBytes != 0;

        internal readonly bool IsNote => Type == Note;
    }
}
