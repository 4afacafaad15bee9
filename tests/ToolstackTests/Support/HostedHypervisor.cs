// The hypervisor's own sources, on the fake machine, behind the library's seam.
using Xenolith.Abi;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;
using Xenolith.Toolstack.Hypercalls;
using Xenolith.UnitTests.Support;

namespace Xenolith.Toolstack.Tests.Support;

/// <summary>
/// Does what Domain 0's kernel does: hypercalls go through the dispatcher, buffers are pages of Domain 0, and other domains' frames are
/// mapped with mmu_update into a window of its address space. Statics hold the machine, so tests that use it run one after the other.
/// </summary>
internal sealed class HostedHypervisor : IHypervisor
{
    private const int FirstBufferSlot = TestDomain.WindowSlots;
    private const int BufferPages = 128;
    private const int BufferOrder = 7;
    private const int FirstMapSlot = FirstBufferSlot + BufferPages;
    private const int Slots = 512;

    private readonly Lock _lock = new();
    private readonly TestDomain _control;
    private readonly Mfn _buffers;
    private readonly bool[] _isTaken = new bool[Slots];

    internal HostedHypervisor(int megabytes = 64, int vcpus = 1)
    {
        _control = TestDomain.Create(vcpus: vcpus, megabytes: megabytes);
        Assert.True(DomainFrames.TryAllocate(ref _control.Domain, BufferOrder, 64, out _buffers));
        for (int i = 0; i < BufferPages; i++)
        {
            Assert.Equal(0, _control.SetWindow(FirstBufferSlot + i, TestDomain.Entry(_buffers.Add((ulong)i), TestDomain.ReadWrite | PageTableEntry.User)));
        }
    }

    /// <summary>Domain 0.</summary>
    internal TestDomain Control => _control;

    /// <summary>Frames that nobody has.</summary>
    internal static ulong FreeFrames => FrameAllocator.FreeFrames;

    /// <summary>Slots of the window that buffers and mappings have not given back.</summary>
    internal int TakenSlots => _isTaken.Count(taken => taken);

    /// <summary>Gives a domain the name, and the console, that one has which is started with the machine.</summary>
    internal void NameAsAtBoot(ushort domain, ReadOnlySpan<byte> name)
    {
        lock (_lock)
        {
            ref Domain named = ref DomainTable.At(domain);
            named.Memory.MaximumPages = 1;
            Assert.True(DomainFrames.TryAllocate(ref named, 0, 64, out Mfn ring));
            DomainConsoles.Open(ref named, ring, name, 0);
        }
    }

    public HypercallBuffer Rent(int bytes)
    {
        lock (_lock)
        {
            int slot = Take(FirstBufferSlot, FirstMapSlot, (bytes + 4095) / 4096);
            Buffer buffer = new(this, slot, bytes);
            buffer.Bytes.Clear();
            return buffer;
        }
    }

    public long Call(HypercallNumber number, ulong argument0 = 0, ulong argument1 = 0, ulong argument2 = 0, ulong argument3 = 0, ulong argument4 = 0)
    {
        lock (_lock)
        {
            // The kernel hands on the low half of a result only.
            return (int)_control.Call(number, argument0, argument1, argument2, argument3, argument4);
        }
    }

    public ForeignMapping Map(ushort domain, ReadOnlySpan<ulong> frames, bool isWritable)
    {
        lock (_lock)
        {
            return Map(domain, frames, isWritable ? TestDomain.ReadWrite : TestDomain.Present, MmuUpdate.NormalPageTableUpdate);
        }
    }

    public ForeignMapping MapResource(ushort domain, ushort type, uint id, uint first, int count)
    {
        lock (_lock)
        {
            using HypercallBuffer buffer = Rent(4096);
            const int List = 64;
            buffer.Write(0, new AcquireResource { DomainId = domain, Type = type, Id = id, FrameCount = (uint)count, FirstFrame = first, FrameList = buffer.Address + List });
            long result = _control.Call(HypercallNumber.MemoryOp, (ulong)MemoryCommand.AcquireResource, buffer.Address);
            return result < 0
                ? throw XenException.For("mapping of a resource", (XenError)(-result), domain)
                : Map(domain, buffer.As<ulong>().Slice(List / 8, count), TestDomain.ReadWrite, MmuUpdate.NoTranslate);
        }
    }

    public void Dispose()
    {
    }

    private Mapping Map(ushort domain, ReadOnlySpan<ulong> frames, ulong flags, ulong command)
    {
        int slot = Take(FirstMapSlot, Slots, frames.Length);
        Mapping mapping = new(this, slot, frames.ToArray());
        for (int i = 0; i < frames.Length; i++)
        {
            ulong entry = TestDomain.EntryAddress(_control.WindowL1, slot + i) | command;
            long result = _control.MmuUpdate(entry, TestDomain.Entry(new Mfn(frames[i]), flags | PageTableEntry.User), domain);
            if (result < 0)
            {
                mapping.Dispose();
                throw XenException.For($"mapping of frame 0x{frames[i]:x}", (XenError)(-result), domain);
            }
        }

        return mapping;
    }

    private int Take(int from, int end, int count)
    {
        for (int slot = from; slot + count <= end; slot++)
        {
            if (!_isTaken.AsSpan(slot, count).Contains(true))
            {
                _isTaken.AsSpan(slot, count).Fill(true);
                return slot;
            }
        }

        throw new InvalidOperationException($"the window has no {count} slots left");
    }

    private void Return(int slot, int count) => _isTaken.AsSpan(slot, count).Clear();

    private sealed class Buffer(HostedHypervisor owner, int slot, int bytes) : HypercallBuffer
    {
        private bool _isReleased;

        public override ulong Address => TestDomain.Window(slot);

        public override Span<byte> Bytes
        {
            get
            {
                ObjectDisposedException.ThrowIf(_isReleased, this);
                return PhysicalMemory.Range(owner._buffers.Add((ulong)(slot - FirstBufferSlot)).Address, bytes);
            }
        }

        protected override void Release()
        {
            lock (owner._lock)
            {
                if (!_isReleased)
                {
                    _isReleased = true;
                    owner.Return(slot, (bytes + 4095) / 4096);
                }
            }
        }
    }

    private sealed class Mapping(HostedHypervisor owner, int slot, ulong[] frames) : ForeignMapping
    {
        private bool _isUnmapped;

        public override int PageCount => frames.Length;

        public override Span<byte> Page(int index)
        {
            ObjectDisposedException.ThrowIf(_isUnmapped, this);
            return PhysicalMemory.Bytes(new Mfn(frames[index]));
        }

        protected override void Unmap()
        {
            lock (owner._lock)
            {
                if (_isUnmapped)
                {
                    return;
                }

                _isUnmapped = true;
                for (int i = 0; i < frames.Length; i++)
                {
                    Assert.Equal(0, owner._control.SetWindow(slot + i, 0));
                }

                owner.Return(slot, frames.Length);
            }
        }
    }
}
