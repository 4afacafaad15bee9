// A kernel's ELF file in memory, unpacked if the module is packed.
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Loading;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot.Building;

/// <summary>Either the module itself, or frames of its own that <see cref="Free"/> gives back.</summary>
internal struct KernelImage
{
    private MachineAddress _start;
    private int _bytes;
    private bool _isFromAllocator;

    /// <summary>Frames that were taken for the unpacked file.</summary>
    internal ulong OwnFrames;

    internal readonly bool Exists => _bytes != 0;

    internal readonly ReadOnlySpan<byte> File => PhysicalMemory.Range(_start, _bytes);

    /// <summary>
    /// Unpacks a module while RAM is still a list of ranges: <see cref="BootMemory"/>; afterwards <paramref name="fromAllocator"/>.
    /// Errors: those of <see cref="KernelUnpacker"/>, TooBig (no memory).
    /// </summary>
    internal static LoadError TryUnpack(in BootModule module, bool fromAllocator, out KernelImage image)
    {
        image = default;
        LoadError error = KernelUnpacker.TryInspect(module.Contents, out ReadOnlySpan<byte> payload, out uint unpackedBytes);
        if (error != LoadError.None || unpackedBytes == 0)
        {
            image._start = module.Start;
            image._bytes = error == LoadError.None ? module.Bytes : 0;
            return error;
        }

        ulong frames = ((ulong)unpackedBytes + 4095) >> 12;
        if (!TryTake(frames, fromAllocator, out Mfn first))
        {
            return LoadError.TooBig;
        }

        image._start = first.Address;
        image._bytes = (int)unpackedBytes;
        image.OwnFrames = frames;
        image._isFromAllocator = fromAllocator;
        ulong start = SystemTime.Now();
        error = KernelUnpacker.Unpack(payload, PhysicalMemory.Range(first.Address, (int)unpackedBytes));
        if (error != LoadError.None)
        {
            return error;
        }

        Log.Line("boot"u8).Text("kernel unpacked, "u8).Decimal((ulong)payload.Length >> 10).Text(" KiB to "u8).Decimal((ulong)unpackedBytes >> 10).Text(" KiB in "u8)
            .Decimal((SystemTime.Now() - start) / 1_000_000).Text(" ms"u8).End();
        return LoadError.None;
    }

    /// <summary>Frames that the unpacked file of a module will take; 0: the module itself will do, or cannot be used.</summary>
    internal static ulong FramesOf(in BootModule module)
        => KernelUnpacker.TryInspect(module.Contents, out _, out uint unpackedBytes) == LoadError.None ? ((ulong)unpackedBytes + 4095) >> 12 : 0;

    /// <summary>Reads the headers. Errors: those of <see cref="Elf64"/>, of <see cref="XenNotes"/> and of a kernel that cannot be loaded.</summary>
    internal readonly LoadError TryOpen(out Elf64 elf, out XenNotes notes, out ulong start, out ulong end)
    {
        notes = default;
        start = 0;
        end = 0;
        LoadError error = Elf64.TryOpen(File, out elf);
        error = error == LoadError.None ? XenNotes.TryRead(in elf, out notes) : error;
        return error == LoadError.None ? KernelExtent.TryMeasure(in elf, in notes, out start, out end) : error;
    }

    /// <summary>Gives its own frames to the allocator.</summary>
    internal void Free()
    {
        if (_isFromAllocator)
        {
            FreeFrames(_start.Frame, 0, OwnFrames);
        }
        else
        {
            // The allocator has not counted these frames among all of the machine's yet.
            FrameAllocator.AddRange(_start.Frame, OwnFrames);
        }

        this = default;
    }

    private static bool TryTake(ulong frames, bool fromAllocator, out Mfn first)
    {
        if (!fromAllocator)
        {
            bool found = BootMemory.TryFind(frames, out first, out _);
            if (found)
            {
                BootMemory.Take(first, frames);
            }

            return found;
        }

        int order = 0;
        while (1UL << order < frames)
        {
            order++;
        }

        if (order > FrameAllocator.MaximumOrder || !FrameAllocator.TryAllocate(order, 64, out first))
        {
            first = Mfn.Invalid;
            return false;
        }

        FreeFrames(first, frames, 1UL << order);
        return true;
    }

    private static void FreeFrames(Mfn first, ulong from, ulong end)
    {
        for (ulong i = from; i < end; i++)
        {
            FrameAllocator.Free(first.Add(i), 0);
        }
    }
}
