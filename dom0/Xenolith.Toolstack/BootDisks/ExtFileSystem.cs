// Reading of ext2, ext3 and ext4 file systems.
using System.Buffers.Binary;
using System.Text;

namespace Xenolith.Toolstack.BootDisks;

/// <summary>
/// Finds and reads files of a guest's file system, which nobody may have looked after: each number on it is checked, and nothing is written. The
/// layout is that of the Linux kernel's documentation (filesystems/ext4). A journal is not replayed.
/// </summary>
internal sealed class ExtFileSystem
{
    private const int SuperblockOffset = 1024;
    private const ushort Magic = 0xEF53;
    private const uint Has64Bit = 0x80;
    private const uint Understood = 0x2 | 0x4 | 0x40 | Has64Bit | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000;
    private const uint RootInode = 2;
    private const int MostLinks = 16;
    private const long LargestDirectory = 16 << 20;

    private readonly DiskWindow _disk;
    private readonly uint _inodes;
    private readonly uint _inodesPerGroup;
    private readonly uint _inodeBytes;
    private readonly uint _descriptorBytes;
    private readonly ulong _firstDataBlock;

    private ExtFileSystem(DiskWindow disk, ReadOnlySpan<byte> superblock)
    {
        _disk = disk;
        BlockBytes = 1024 << (int)U32(superblock, 0x18);
        Features = U32(superblock, 0x60);
        _inodes = U32(superblock, 0x00);
        _firstDataBlock = U32(superblock, 0x14);
        _inodesPerGroup = U32(superblock, 0x28);
        bool hasRevision = U32(superblock, 0x4C) != 0;
        _inodeBytes = hasRevision ? BinaryPrimitives.ReadUInt16LittleEndian(superblock[0x58..]) : 128u;
        _descriptorBytes = (Features & Has64Bit) != 0 ? BinaryPrimitives.ReadUInt16LittleEndian(superblock[0xFE..]) : 32u;
        Blocks = U32(superblock, 0x04) | ((Features & Has64Bit) != 0 ? (ulong)U32(superblock, 0x150) << 32 : 0);
    }

    /// <summary>Bytes of a block.</summary>
    internal int BlockBytes { get; }

    /// <summary>Blocks of the file system.</summary>
    internal ulong Blocks { get; }

    private uint Features { get; }

    /// <summary>Opens the file system on a partition.</summary>
    /// <returns>Null when there is none of these.</returns>
    /// <exception cref="InvalidDataException">It is damaged, or has what cannot be read here.</exception>
    internal static ExtFileSystem? TryOpen(DiskWindow partition)
    {
        byte[] superblock = new byte[1024];
        if (!partition.TryRead(SuperblockOffset, superblock) || BinaryPrimitives.ReadUInt16LittleEndian(superblock.AsSpan(0x38)) != Magic)
        {
            return null;
        }

        if (U32(superblock, 0x18) > 6)
        {
            throw Damaged("the size of a block");
        }

        ExtFileSystem system = new(partition, superblock);
        uint missing = system.Features & ~Understood;
        if (missing != 0)
        {
            throw new InvalidDataException($"its file system has features (0x{missing:x}) that are not read here; name the kernel's file in Domain 0 instead");
        }

        bool isSound = system._inodesPerGroup != 0 && system._inodeBytes is >= 128 and <= 4096 && system._descriptorBytes is >= 32 and <= 1024 && (ulong)partition.Length / (ulong)system.BlockBytes >= 1;
        return isSound ? system : throw Damaged("the superblock");
    }

    /// <summary>The file of a path, behind all symbolic links; null when there is none.</summary>
    internal ExtFile? TryFind(string path)
    {
        uint inode = RootInode;
        Stack<string> names = new();
        Push(names, path);
        Stack<uint> parents = new();
        int links = 0;
        while (names.TryPop(out string? name))
        {
            ExtFile directory = Open(inode);
            if (name == "..")
            {
                inode = parents.TryPop(out uint parent) ? parent : RootInode;
                continue;
            }

            if (!directory.IsDirectory || FindIn(directory, name) is not { } found)
            {
                return null;
            }

            ExtFile file = Open(found);
            if (!file.IsLink)
            {
                parents.Push(inode);
                inode = found;
                continue;
            }

            if (++links > MostLinks)
            {
                throw Damaged($"the symbolic links of {path}");
            }

            string target = Encoding.UTF8.GetString(file.ReadLink());
            if (target.StartsWith('/'))
            {
                inode = RootInode;
                parents.Clear();
            }

            Push(names, target);
        }

        return Open(inode);
    }

    /// <summary>Reads a part of a block that lies in the file system.</summary>
    internal void ReadBlock(ulong block, Span<byte> to, int offset = 0)
    {
        if (block >= Blocks || block > ulong.MaxValue / (ulong)BlockBytes || !_disk.TryRead((block * (ulong)BlockBytes) + (ulong)offset, to))
        {
            throw Damaged($"block {block}");
        }
    }

    internal static InvalidDataException Damaged(string what) => new($"its file system is damaged ({what}); repair it with fsck");

    private static uint U32(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);

    private static void Push(Stack<string> names, string path)
    {
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse())
        {
            if (name != ".")
            {
                names.Push(name);
            }
        }
    }

    private ExtFile Open(uint inode)
    {
        if (inode == 0 || inode > _inodes)
        {
            throw Damaged($"inode {inode}");
        }

        (uint group, uint index) = ((inode - 1) / _inodesPerGroup, (inode - 1) % _inodesPerGroup);
        byte[] descriptor = new byte[Math.Min(_descriptorBytes, 64)];
        ReadAt(((_firstDataBlock + 1) * (ulong)BlockBytes) + ((ulong)group * _descriptorBytes), descriptor);
        ulong table = U32(descriptor, 8) | (descriptor.Length >= 64 ? (ulong)U32(descriptor, 0x28) << 32 : 0);
        if (table >= Blocks)
        {
            throw Damaged($"the table of inodes of group {group}");
        }

        byte[] bytes = new byte[128];
        ReadAt((table * (ulong)BlockBytes) + ((ulong)index * _inodeBytes), bytes);
        return new ExtFile(this, bytes);
    }

    private void ReadAt(ulong offset, Span<byte> to)
    {
        if (!_disk.TryRead(offset, to))
        {
            throw Damaged("it reaches over the end of its partition");
        }
    }

    private uint? FindIn(ExtFile directory, string name)
    {
        if (directory.Length > LargestDirectory)
        {
            throw Damaged("the size of a directory");
        }

        byte[] wanted = Encoding.UTF8.GetBytes(name);
        using MemoryStream contents = new();
        directory.CopyTo(contents, CancellationToken.None);
        ReadOnlySpan<byte> bytes = contents.GetBuffer().AsSpan(0, (int)contents.Length);
        while (bytes.Length >= 8)
        {
            uint inode = U32(bytes, 0);
            int length = BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]);

            // A block of 64 KiB that has one entry alone cannot say its length in 16 bits.
            length = length is 0 or 0xFFFF ? Math.Min(BlockBytes, bytes.Length) : length;
            int nameLength = bytes[6];
            if (length < 8 || length > bytes.Length || nameLength > length - 8)
            {
                throw Damaged("a directory");
            }

            if (inode != 0 && bytes.Slice(8, nameLength).SequenceEqual(wanted))
            {
                return inode;
            }

            bytes = bytes[length..];
        }

        return null;
    }
}
