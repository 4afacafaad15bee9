// A list of CPUID leaves in the caller's memory, as it is filled.
using Xenolith.Abi;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Entries of 24 bytes; the first thing that goes wrong is kept.</summary>
internal struct CpuIdLeafList
{
    private const ulong EntryBytes = 24;

    private readonly ulong _buffer;
    private readonly uint _room;

    internal CpuIdLeafList(ulong buffer, uint room)
    {
        _buffer = buffer;
        _room = room;
        Count = 0;
        Error = XenError.None;
    }

    /// <summary>Entries that were stored.</summary>
    internal uint Count { get; private set; }

    /// <summary>None, Fault or NoBufferSpace.</summary>
    internal XenError Error { get; private set; }

    internal void Add(uint leaf, uint subleaf, CpuIdResult value)
    {
        if (Error != XenError.None)
        {
            return;
        }

        if (Count >= _room)
        {
            Error = XenError.NoBufferSpace;
            return;
        }

        CpuIdLeaf entry = new() { Leaf = leaf, Subleaf = subleaf, Eax = value.Eax, Ebx = value.Ebx, Ecx = value.Ecx, Edx = value.Edx };
        if (!GuestMemory.TryWrite(new GuestAddress(_buffer + (Count * EntryBytes)), in entry))
        {
            Error = XenError.Fault;
            return;
        }

        Count++;
    }
}
