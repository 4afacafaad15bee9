// An unpacked kernel.
using Microsoft.Win32.SafeHandles;
using Xenolith.Loading;
using Xenolith.Toolstack.Interop;

namespace Xenolith.Toolstack.Building;

/// <summary>An ELF file in the cache, and what it says about itself. Its segments are read piece by piece into the domain's memory.</summary>
internal sealed class UnpackedKernel : IDisposable
{
    private readonly SafeFileHandle _file;

    private UnpackedKernel(SafeFileHandle file, in XenNotes notes, ulong start, ulong end, IReadOnlyList<KernelSegment> segments)
    {
        _file = file;
        Notes = notes;
        Start = start;
        End = end;
        Segments = segments;
    }

    /// <summary>What it wants to find at its start.</summary>
    internal XenNotes Notes { get; }

    /// <summary>Lowest physical address of its segments.</summary>
    internal ulong Start { get; }

    /// <summary>End of its segments.</summary>
    internal ulong End { get; }

    internal IReadOnlyList<KernelSegment> Segments { get; }

    /// <summary>Opens a file that nobody else changes.</summary>
    /// <param name="path">The file.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="KernelException">It is no kernel for a PV domain.</exception>
    internal static UnpackedKernel Open(string path, string name)
    {
        SafeFileHandle file = File.OpenHandle(path);
        try
        {
            using MappedFile mapped = MappedFile.Open(file, false);
            LoadError error = Elf64.TryOpen(mapped.Contents, out Elf64 elf);
            XenNotes notes = default;
            ulong start = 0;
            ulong end = 0;
            error = error == LoadError.None ? XenNotes.TryRead(in elf, out notes) : error;
            error = error == LoadError.None ? KernelExtent.TryMeasure(in elf, in notes, out start, out end) : error;
            if (error != LoadError.None)
            {
                throw new KernelException(name, error);
            }

            List<KernelSegment> segments = [];
            for (int i = 0; i < elf.SegmentCount; i++)
            {
                Elf64.Segment segment = elf.SegmentAt(i);
                if (segment.IsLoad)
                {
                    segments.Add(new KernelSegment((long)segment.Offset, segment.Physical - notes.PhysicalOffset, segment.FileBytes, segment.MemoryBytes));
                }
            }

            return new UnpackedKernel(file, in notes, start, end, segments);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Fills a span with the file's bytes from an offset on.</summary>
    internal void Read(Span<byte> to, long offset) => FileReading.ReadAll(_file, to, offset);

    public void Dispose() => _file.Dispose();
}

/// <summary>What is loaded where.</summary>
/// <param name="FileOffset">Where it begins in the file.</param>
/// <param name="Address">Pseudo-physical address in the domain.</param>
/// <param name="FileBytes">Bytes that the file has.</param>
/// <param name="MemoryBytes">Bytes in memory; those behind the file's are zero.</param>
internal readonly record struct KernelSegment(long FileOffset, ulong Address, ulong FileBytes, ulong MemoryBytes);
