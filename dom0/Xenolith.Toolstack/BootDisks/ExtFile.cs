// A file of an ext2, ext3 or ext4 file system.
using System.Buffers.Binary;

namespace Xenolith.Toolstack.BootDisks;

/// <summary>Reads the contents of one inode.</summary>
internal sealed class ExtFile
{
    private const ushort KindMask = 0xF000;
    private const ushort DirectoryKind = 0x4000;
    private const ushort RegularKind = 0x8000;
    private const ushort LinkKind = 0xA000;
    private const uint Encrypted = 0x800;
    private const uint HasExtents = 0x80000;
    private const uint IsInline = 0x10000000;
    private const int MapOffset = 0x28;
    private const int MapBytes = 60;
    private const ushort ExtentMagic = 0xF30A;
    private const int DeepestTree = 5;
    private const int LongestLink = 4096;

    // Nodes of a sound tree hold hundreds of extents each.
    private const int MostNodes = 65536;

    private readonly ExtFileSystem _system;
    private readonly byte[] _inode;
    private readonly ushort _kind;
    private readonly uint _flags;

    internal ExtFile(ExtFileSystem system, byte[] inode)
    {
        _system = system;
        _inode = inode;
        _kind = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(inode) & KindMask);
        _flags = BinaryPrimitives.ReadUInt32LittleEndian(inode.AsSpan(0x20));
        ulong length = BinaryPrimitives.ReadUInt32LittleEndian(inode.AsSpan(4)) | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(inode.AsSpan(0x6C)) << 32);
        Length = length <= long.MaxValue ? (long)length : throw ExtFileSystem.Damaged("the size of a file");
    }

    /// <summary>Bytes of it.</summary>
    internal long Length { get; }

    internal bool IsDirectory => _kind == DirectoryKind;

    internal bool IsLink => _kind == LinkKind;

    internal bool IsRegular => _kind == RegularKind;

    private sealed class Budget
    {
        internal int Nodes { get; set; }
    }

    /// <summary>Where a symbolic link leads.</summary>
    internal byte[] ReadLink()
    {
        if (Length < MapBytes && (_flags & HasExtents) == 0)
        {
            return _inode.AsSpan(MapOffset, (int)Length).ToArray();
        }

        if (Length > LongestLink)
        {
            throw ExtFileSystem.Damaged("the size of a symbolic link");
        }

        using MemoryStream target = new();
        CopyTo(target, CancellationToken.None);
        return target.ToArray();
    }

    /// <summary>Copies all that it holds; places that were never written are zero.</summary>
    internal void CopyTo(Stream to, CancellationToken cancellation)
    {
        if ((_flags & (Encrypted | IsInline)) != 0)
        {
            throw new InvalidDataException($"a file on it is {((_flags & Encrypted) != 0 ? "encrypted" : "kept in its inode")}, which is not read here; name the kernel's file in Domain 0 instead");
        }

        byte[] block = new byte[_system.BlockBytes];
        long left = Length;
        ulong next = 0;
        ulong wanted = ((ulong)Length + (ulong)block.Length - 1) / (ulong)block.Length;
        foreach ((ulong logical, ulong count, ulong physical) in Runs(wanted))
        {
            // Runs come in order; what overlaps or goes back is damage.
            if (logical < next)
            {
                throw ExtFileSystem.Damaged("the blocks of a file");
            }

            WriteZeros(Math.Min(logical, wanted) - next);
            for (ulong i = 0; i < count && logical + i < wanted; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                int bytes = (int)Math.Min(left, block.Length);
                _system.ReadBlock(physical + i, block.AsSpan(0, bytes));
                to.Write(block, 0, bytes);
                left -= bytes;
            }

            next = Math.Min(logical + count, wanted);
        }

        WriteZeros(wanted - next);

        void WriteZeros(ulong blocks)
        {
            Array.Clear(block);
            for (ulong i = 0; i < blocks; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                int bytes = (int)Math.Min(left, block.Length);
                to.Write(block, 0, bytes);
                left -= bytes;
            }
        }
    }

    /// <summary>Where its blocks are: first block in the file, how many, first block in the file system.</summary>
    private IEnumerable<(ulong Logical, ulong Count, ulong Physical)> Runs(ulong wanted)
        => (_flags & HasExtents) != 0 ? ExtentRuns(_inode.AsMemory(MapOffset, MapBytes), DeepestTree, new Budget()) : BlockRuns(wanted);

    private IEnumerable<(ulong, ulong, ulong)> ExtentRuns(ReadOnlyMemory<byte> node, int depth, Budget budget)
    {
        (int entries, int levels) = ReadExtentHeader(node.Span);
        if (levels > depth || 12 + (entries * 12) > node.Length || ++budget.Nodes > MostNodes)
        {
            throw ExtFileSystem.Damaged("the blocks of a file");
        }

        for (int i = 0; i < entries; i++)
        {
            ReadOnlyMemory<byte> entry = node.Slice(12 + (i * 12), 12);
            if (levels == 0)
            {
                (ulong logical, ulong count, ulong physical, bool isWritten) = ReadExtent(entry.Span);
                if (isWritten)
                {
                    yield return (logical, count, physical);
                }

                continue;
            }

            byte[] child = new byte[_system.BlockBytes];
            _system.ReadBlock(ReadIndex(entry.Span), child);
            if (ReadExtentHeader(child).Levels != levels - 1)
            {
                throw ExtFileSystem.Damaged("the blocks of a file");
            }

            foreach ((ulong, ulong, ulong) run in ExtentRuns(child, levels - 1, budget))
            {
                yield return run;
            }
        }
    }

    private static (int Entries, int Levels) ReadExtentHeader(ReadOnlySpan<byte> node)
        => BinaryPrimitives.ReadUInt16LittleEndian(node) == ExtentMagic
            ? (BinaryPrimitives.ReadUInt16LittleEndian(node[2..]), BinaryPrimitives.ReadUInt16LittleEndian(node[6..]))
            : throw ExtFileSystem.Damaged("the blocks of a file");

    private static (ulong Logical, ulong Count, ulong Physical, bool IsWritten) ReadExtent(ReadOnlySpan<byte> entry)
    {
        const uint LongestWritten = 32768;
        uint count = BinaryPrimitives.ReadUInt16LittleEndian(entry[4..]);
        bool isWritten = count <= LongestWritten;
        ulong physical = BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]) | ((ulong)BinaryPrimitives.ReadUInt16LittleEndian(entry[6..]) << 32);
        return (BinaryPrimitives.ReadUInt32LittleEndian(entry), isWritten ? count : count - LongestWritten, physical, isWritten);
    }

    private static ulong ReadIndex(ReadOnlySpan<byte> entry)
        => BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]) | ((ulong)BinaryPrimitives.ReadUInt16LittleEndian(entry[8..]) << 32);

    /// <summary>The older map: twelve blocks, then one block of numbers, then blocks of those, three levels deep.</summary>
    private IEnumerable<(ulong, ulong, ulong)> BlockRuns(ulong wanted)
    {
        ulong next = 0;
        for (int slot = 0; slot < 15 && next < wanted; slot++)
        {
            uint block = BinaryPrimitives.ReadUInt32LittleEndian(_inode.AsSpan(MapOffset + (slot * 4)));
            int levels = Math.Max(0, slot - 11);
            foreach ((ulong, ulong, ulong) run in Indirect(block, levels, next, wanted))
            {
                yield return run;
            }

            next += Covered(levels);
        }
    }

    private IEnumerable<(ulong, ulong, ulong)> Indirect(uint block, int levels, ulong first, ulong wanted)
    {
        if (block == 0 || first >= wanted)
        {
            yield break;
        }

        if (levels == 0)
        {
            yield return (first, 1, block);
            yield break;
        }

        byte[] numbers = new byte[_system.BlockBytes];
        _system.ReadBlock(block, numbers);
        ulong each = Covered(levels - 1);
        for (int i = 0; i < numbers.Length / 4; i++)
        {
            foreach ((ulong, ulong, ulong) run in Indirect(BinaryPrimitives.ReadUInt32LittleEndian(numbers.AsSpan(i * 4)), levels - 1, first + ((ulong)i * each), wanted))
            {
                yield return run;
            }
        }
    }

    /// <summary>Blocks of the file that a block of that many levels stands for.</summary>
    private ulong Covered(int levels)
    {
        ulong covered = 1;
        for (int i = 0; i < levels; i++)
        {
            covered *= (ulong)_system.BlockBytes / 4;
        }

        return covered;
    }
}
