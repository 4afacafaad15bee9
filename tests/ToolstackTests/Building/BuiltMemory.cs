// A domain that the builder has made, from the inside.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;
using Xenolith.Toolstack.Hypercalls;
using Xenolith.UnitTests.PageTables;
using Xenolith.UnitTests.Support;

namespace Xenolith.Toolstack.Tests.Building;

/// <summary>A domain's memory as its first instruction sees it.</summary>
internal sealed class BuiltMemory
{
    private readonly Mfn _root;
    private readonly ushort _domain;
    private readonly byte[] _context;

    internal BuiltMemory(ControlInterface control, ushort domain)
    {
        _domain = domain;
        _context = control.Vcpus.GetContext(domain, 0)!;
        _root = new Mfn(Context(VcpuGuestContextLayout.KernelRoot) >> 12);
        StartInfoAddress = Context(VcpuGuestContextLayout.Rsi);
    }

    internal ulong StartInfoAddress { get; }

    internal ulong Context(int offset) => BitConverter.ToUInt64(_context, offset);

    internal ulong StartInfo(int offset) => offset == StartInfoLayout.Flags || offset == StartInfoLayout.StoreEventChannel || offset == StartInfoLayout.ConsoleEventChannel
        ? (uint)Word(StartInfoAddress + (ulong)offset)
        : Word(StartInfoAddress + (ulong)offset);

    internal ulong Word(ulong address) => BitConverter.ToUInt64(Read(address, 8));

    internal byte[] Read(ulong address, int count)
    {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++)
        {
            bytes[i] = PhysicalMemory.Byte(FrameOf(address + (ulong)i), (int)(address + (ulong)i) & 4095);
        }

        return bytes;
    }

    internal ulong Grant(int reference) => PhysicalMemory.Word(DomainTable.At(_domain).Grants.FrameAt(0), reference);

    private Mfn FrameOf(ulong address)
    {
        Mfn table = _root;
        for (int shift = 39; shift >= 12; shift -= 9)
        {
            ulong entry = PhysicalMemory.Word(table, (int)(address >> shift) & 511);
            Assert.True((entry & PageTableEntry.Present) != 0, $"0x{address:x} is not mapped");
            table = new PageTableEntry(entry).Frame;
        }

        return table;
    }
}
