// Writing into consecutive pages of a domain under construction.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot.Building;

/// <summary>A cursor over pseudo-physical memory, whose frames need not be contiguous.</summary>
internal ref struct PageWriter
{
    private readonly ref DomainPages _pages;
    private ulong _address;

    internal PageWriter(ref DomainPages pages, ulong page)
    {
        _pages = ref pages;
        _address = page << 12;
    }

    /// <summary>Moves to a pseudo-physical address.</summary>
    internal void Seek(ulong address) => _address = address;

    internal void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> room = Room();
            int count = Math.Min(room.Length, bytes.Length);
            bytes.Slice(0, count).CopyTo(room);
            bytes = bytes.Slice(count);
            _address += (ulong)count;
        }
    }

    internal void WriteZeros(ulong bytes)
    {
        while (bytes != 0)
        {
            Span<byte> room = Room();
            int count = (int)Math.Min((ulong)room.Length, bytes);
            room.Slice(0, count).Clear();
            bytes -= (ulong)count;
            _address += (ulong)count;
        }
    }

    private readonly Span<byte> Room() => PhysicalMemory.Bytes(_pages[_address >> 12]).Slice((int)(_address & 4095));
}
