// What a toolstack in Domain 0 does: domctl, sysctl, and the building of a domain.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.UnitTests.Support;

/// <summary>Structures lie in the first of some pages of Domain 0's window; the others are room for buffers.</summary>
internal sealed class Toolstack
{
    internal const int BufferPages = 6;

    private const int FirstSlot = TestDomain.WindowSlots - BufferPages - 1;
    private const int DomctlBytes = 144;
    private const int SysctlBytes = 136;

    private readonly TestDomain _control;
    private readonly Mfn[] _pages = new Mfn[BufferPages + 1];

    internal Toolstack(TestDomain control)
    {
        _control = control;
        for (int i = 0; i < _pages.Length; i++)
        {
            _pages[i] = control.NewPage();
            PhysicalMemory.Word(control.WindowL1, FirstSlot + i) = 0;
            Assert.Equal(0, control.SetWindow(FirstSlot + i, TestDomain.Entry(_pages[i], TestDomain.ReadWrite | PageTableEntry.User)));
        }
    }

    /// <summary>Guest address of the structure.</summary>
    internal static ulong Structure => TestDomain.Window(FirstSlot);

    /// <summary>Guest address of the buffers.</summary>
    internal static ulong Buffer => TestDomain.Window(FirstSlot + 1);

    internal TestDomain Control => _control;

    /// <summary>The domain that the last operation wrote into its header.</summary>
    internal ushort Domain => Read<ushort>(8);

    internal static CreateDomain Ordinary(uint vcpus = 1) => new()
    {
        MaximumVcpus = vcpus,
        MaximumEventPort = 1023,
        MaximumGrantFrames = -1,
        MaximumMapTrackFrames = -1,
        GrantOptions = 1,
    };

    /// <summary>Stores a value at an offset of the structure (buffers follow at 4096).</summary>
    internal void Write<T>(int offset, T value)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value));
        for (int i = 0; i < bytes.Length; i++)
        {
            PhysicalMemory.Byte(_pages[(offset + i) / 4096], (offset + i) % 4096) = bytes[i];
        }
    }

    internal T Read<T>(int offset)
        where T : unmanaged
    {
        Span<byte> bytes = stackalloc byte[Unsafe.SizeOf<T>()];
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = PhysicalMemory.Byte(_pages[(offset + i) / 4096], (offset + i) % 4096);
        }

        return MemoryMarshal.Read<T>(bytes);
    }

    internal T ReadArguments<T>()
        where T : unmanaged
        => Read<T>(16);

    internal long Domctl<T>(DomctlCommand command, ushort domain, T arguments)
        where T : unmanaged
    {
        Clear(DomctlBytes);
        Write(0, new DomctlHeader { Command = command, Version = DomctlHeader.CurrentVersion, Domain = domain });
        Write(16, arguments);
        return _control.Call(HypercallNumber.Domctl, Structure);
    }

    internal long Domctl(DomctlCommand command, ushort domain) => Domctl(command, domain, 0UL);

    internal long Sysctl<T>(SysctlCommand command, T arguments)
        where T : unmanaged
    {
        Clear(SysctlBytes);
        Write(0, new SysctlHeader { Command = command, Version = SysctlHeader.CurrentVersion });
        Write(8, arguments);
        return _control.Call(HypercallNumber.Sysctl, Structure);
    }

    internal ushort Create(CreateDomain settings)
    {
        Assert.Equal(0, Domctl(DomctlCommand.CreateDomain, 0, settings));
        return Domain;
    }

    internal DomainInfo Info(ushort domain)
    {
        Assert.Equal(0, Domctl(DomctlCommand.GetDomainInfo, domain));
        Assert.Equal(domain, Domain);
        return ReadArguments<DomainInfo>();
    }

    /// <summary>populate_physmap of single pages from PFN 0 on.</summary>
    internal Mfn[] Populate(ushort domain, int pages)
    {
        Write(0, new MemoryReservation { ExtentStart = Buffer, ExtentCount = (ulong)pages, DomainId = domain });
        for (int i = 0; i < pages; i++)
        {
            Write(4096 + (i * 8), (ulong)i);
        }

        Assert.Equal(pages, _control.Call(HypercallNumber.MemoryOp, 6, Structure));
        Mfn[] frames = new Mfn[pages];
        for (int i = 0; i < pages; i++)
        {
            frames[i] = new Mfn(Read<ulong>(4096 + (i * 8)));
        }

        return frames;
    }

    /// <summary>Maps a frame of another domain into Domain 0's window.</summary>
    internal long Map(int slot, Mfn frame, ushort owner, ulong flags = TestDomain.ReadWrite | PageTableEntry.User)
        => _control.MmuUpdate(TestDomain.EntryAddress(_control.WindowL1, slot), TestDomain.Entry(frame, flags), owner);

    /// <summary>A word of a vcpu's context, which lies at the start of the buffers.</summary>
    internal void WriteContext(int offset, ulong value) => Write(4096 + offset, value);

    internal ulong ReadContext(int offset) => Read<ulong>(4096 + offset);

    internal void ClearBuffers()
    {
        for (int i = 1; i < _pages.Length; i++)
        {
            PhysicalMemory.Clear(_pages[i]);
        }
    }

    private void Clear(int bytes) => PhysicalMemory.Bytes(_pages[0])[..bytes].Clear();
}
