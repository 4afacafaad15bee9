// Putting the kernel's segments into a domain.
using Xenolith.Loading;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot.Building;

/// <summary>Loads by physical address, as PV kernels are linked; what the file does not fill is zero.</summary>
internal static class KernelLoader
{
    private const int HypercallStubBytes = 32;
    private const int HypercallStubs = 128;
    private const int IretStub = 23;

    /// <summary>Copies the segments; all pages of the initial region exist.</summary>
    internal static void Load(in Elf64 elf, in XenNotes notes, in InitialLayout layout, ref DomainPages pages)
    {
        PageWriter writer = new(ref pages, 0);
        for (int i = 0; i < elf.SegmentCount; i++)
        {
            Elf64.Segment segment = elf.SegmentAt(i);
            if (segment.IsLoad)
            {
                writer.Seek(segment.Physical - notes.PhysicalOffset);
                writer.Write(elf.Contents(in segment));
                if (!pages.IsCleared)
                {
                    writer.WriteZeros(segment.MemoryBytes - segment.FileBytes);
                }
            }
        }

        if (notes.HasHypercallPage)
        {
            FillHypercallPage(PhysicalMemory.Bytes(pages[(notes.HypercallPage - layout.Base) >> 12]));
        }
    }

    /// <summary>Stub n puts n into EAX and executes SYSCALL, which clobbers RCX and R11; the iret stub also saves RAX and never returns.</summary>
    internal static void FillHypercallPage(Span<byte> page)
    {
        const byte Breakpoint = 0xCC;
        page.Fill(Breakpoint);
        for (int number = 0; number < HypercallStubs; number++)
        {
            Span<byte> stub = page.Slice(number * HypercallStubBytes, HypercallStubBytes);
            ReadOnlySpan<byte> code = number == IretStub
                ? [0x51, 0x41, 0x53, 0x50, 0xB8, IretStub, 0, 0, 0, 0x0F, 0x05]
                : [0x51, 0x41, 0x53, 0xB8, 0, 0, 0, 0, 0x0F, 0x05, 0x41, 0x5B, 0x59, 0xC3];
            code.CopyTo(stub);
            if (number != IretStub)
            {
                stub[4] = (byte)number;
            }
        }
    }
}
