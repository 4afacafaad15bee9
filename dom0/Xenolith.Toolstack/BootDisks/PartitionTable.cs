// Where the partitions of a disk are.
using System.Buffers.Binary;

namespace Xenolith.Toolstack.BootDisks;

/// <summary>Reads the tables of a PC's BIOS (MBR, with logical partitions) and of UEFI (GPT; UEFI specification 2.10, chapter 5). Sectors have 512 bytes.</summary>
internal static class PartitionTable
{
    private const int Sector = 512;
    private const int FirstEntry = 446;
    private const int EntryBytes = 16;
    private const int Signature = 510;
    private const byte GptKind = 0xEE;
    private const int MostPartitions = 128;

    /// <summary>The partitions, in the order of their numbers; the disk itself when it has no table.</summary>
    internal static IReadOnlyList<DiskWindow> Read(DiskWindow disk)
    {
        byte[] sector = new byte[Sector];
        if (!IsTable(disk, 0, sector))
        {
            return [disk];
        }

        List<DiskWindow> found = [];
        List<ulong> extended = [];
        for (int i = 0; i < 4; i++)
        {
            (byte kind, uint first, uint count) = Entry(sector, i);
            if (kind == GptKind)
            {
                return ReadGpt(disk);
            }

            if (kind is 0x05 or 0x0F or 0x85)
            {
                extended.Add(first);
            }
            else if (kind != 0)
            {
                Add(found, disk.Part((ulong)first * Sector, (ulong)count * Sector));
            }
        }

        extended.ForEach(start => AddLogical(found, disk, start));

        // The boot sector of a file system without partitions has the same signature.
        return found.Count == 0 ? [disk] : found;
    }

    private static void AddLogical(List<DiskWindow> found, DiskWindow disk, ulong start)
    {
        byte[] sector = new byte[Sector];
        ulong table = start;
        for (int step = 0; step < MostPartitions && IsTable(disk, table * Sector, sector); step++)
        {
            (byte kind, uint first, uint count) = Entry(sector, 0);
            if (kind != 0)
            {
                Add(found, disk.Part((table + first) * Sector, (ulong)count * Sector));
            }

            (byte next, uint offset, _) = Entry(sector, 1);
            if (next == 0 || offset == 0)
            {
                return;
            }

            table = start + offset;
        }
    }

    private static List<DiskWindow> ReadGpt(DiskWindow disk)
    {
        List<DiskWindow> found = [];
        byte[] header = new byte[Sector];
        if (!disk.TryRead(Sector, header) || !header.AsSpan(0, 8).SequenceEqual("EFI PART"u8))
        {
            return found;
        }

        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(72));
        uint count = Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(80)), MostPartitions);
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(84));
        if (size is < 128 or > 4096 || table > (ulong)disk.Length / Sector)
        {
            return found;
        }

        byte[] entry = new byte[128];
        for (uint i = 0; i < count && disk.TryRead((table * Sector) + ((ulong)i * size), entry); i++)
        {
            ulong first = BinaryPrimitives.ReadUInt64LittleEndian(entry.AsSpan(32));
            ulong last = BinaryPrimitives.ReadUInt64LittleEndian(entry.AsSpan(40));
            if (entry.AsSpan(0, 16).ContainsAnyExcept((byte)0) && first <= last && last < (ulong)disk.Length / Sector)
            {
                Add(found, disk.Part(first * Sector, (last - first + 1) * Sector));
            }
        }

        return found;
    }

    private static bool IsTable(DiskWindow disk, ulong offset, byte[] sector)
        => disk.TryRead(offset, sector) && sector[Signature] == 0x55 && sector[Signature + 1] == 0xAA;

    private static (byte Kind, uint First, uint Count) Entry(byte[] sector, int index)
    {
        ReadOnlySpan<byte> entry = sector.AsSpan(FirstEntry + (index * EntryBytes), EntryBytes);
        return (entry[4], BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]), BinaryPrimitives.ReadUInt32LittleEndian(entry[12..]));
    }

    private static void Add(List<DiskWindow> found, DiskWindow? partition)
    {
        if (partition is not null)
        {
            found.Add(partition);
        }
    }
}
