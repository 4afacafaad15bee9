// The ports of a domain.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.EventChannels;

/// <summary>Ports live in pages of 256, taken as they are needed; 4096 at most, as the two-level bitmaps allow.</summary>
public struct DomainEvents
{
    public const int PortsPerPage = 256;
    public const int MaximumPorts = 4096;

    private PageList _pages;

    /// <summary>Ports that have storage; port 0 is never given out.</summary>
    public int Capacity;

    /// <summary>The channel of a port below <see cref="Capacity"/>.</summary>
    public readonly ref EventChannel At(uint port)
        => ref PhysicalMemory.At<EventChannel>(_pages[(int)(port / PortsPerPage) & 15], (int)(port % PortsPerPage) * 16);

    /// <summary>Adds a page of free ports.</summary>
    public void AddPage(Mfn page)
    {
        _pages[Capacity / PortsPerPage] = page;
        Capacity += PortsPerPage;
    }

    /// <summary>Gives the pages back; every port is closed.</summary>
    public void Release()
    {
        for (; Capacity > 0; Capacity -= PortsPerPage)
        {
            DomainFrames.FreeOwn(_pages[(Capacity / PortsPerPage) - 1]);
        }
    }

    [InlineArray(MaximumPorts / PortsPerPage)]
    private struct PageList
    {
        private Mfn _first;
    }
}
