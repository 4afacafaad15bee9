// Sets up the fake machine for a test.
using System.Runtime.InteropServices;

namespace Xenolith.Machine;

/// <summary>
/// One machine with RAM and, unless a test adds more, one processor. <see cref="Reset"/> makes it as new: RAM zero, registers as after boot, a root table whose
/// hypervisor slots are filled. What the hypervisor would break on the metal ends in a <see cref="HypervisorPanicException"/> here.
/// </summary>
public static unsafe class FakeMachine
{
    /// <summary>Frames that the machine's own tables take; ordinary RAM begins here.</summary>
    public const ulong FirstUsableFrame = 4096;

    private static byte* s_ram;
    private static nuint s_bytes;

    /// <summary>Size of RAM in frames.</summary>
    public static ulong FrameCount { get; private set; }

    /// <summary>Where RAM begins in this process; null before the first reset.</summary>
    internal static byte* Ram => s_ram;

    /// <summary>Makes a new machine with that much RAM, at least 32 MiB.</summary>
    public static void Reset(int megabytes = 64)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(megabytes, 32);
        nuint bytes = (nuint)megabytes << 20;
        if (bytes != s_bytes)
        {
            NativeMemory.AlignedFree(s_ram);
            s_ram = (byte*)NativeMemory.AlignedAlloc(bytes, 4096);
            s_bytes = bytes;
        }

        NativeMemory.Clear(s_ram, bytes);
        FrameCount = (ulong)bytes >> 12;
        FakeCpu.Reset();
        GuestMemory.Reset();
        PhysicalMemory.SetBounds(FrameCount, new Mfn(0), 0);
        CpuFeatures.Detect();
        EarlyFrames.Initialize(new Mfn(256), FirstUsableFrame - 256);
        Mfn root = EarlyFrames.Allocate(1);
        const ulong Flags = PageTableEntry.Present | PageTableEntry.Writable;

        // The boot code has made the image's slot and the direct map's; a table of zeros stands for each.
        PhysicalMemory.Word(root, 261) = new PageTableEntry(EarlyFrames.Allocate(1), Flags).Value;
        PhysicalMemory.Word(root, 262) = new PageTableEntry(EarlyFrames.Allocate(1), Flags).Value;
        FakeCpu.Cr3 = root.Address.Value;
        HypervisorAddressSpace.Initialize(FrameCount, Image.Start, Image.Frames);
        Protection.Enable(true, true);
        Fpu.TrySetXcr0(CpuFeatures.XsaveMask);
        FakeCpu.RootLoads = 0;
        FakeCpu.InvalidatedPages.Clear();
    }

    /// <summary>Maps one page of a guest's address space, with any tables that are missing taken from <paramref name="allocate"/>.</summary>
    /// <param name="root">The L4 table.</param>
    /// <param name="address">The page.</param>
    /// <param name="entry">The L1 entry to store.</param>
    /// <param name="allocate">Gives a cleared frame for a table.</param>
    public static void Map(Mfn root, ulong address, ulong entry, Func<Mfn> allocate)
    {
        ArgumentNullException.ThrowIfNull(allocate);
        Mfn table = root;
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ref ulong word = ref PhysicalMemory.Word(table, (int)(address >> shift));
            if ((word & PageTableEntry.Present) == 0)
            {
                word = new PageTableEntry(allocate(), PageTableEntry.Present | PageTableEntry.Writable | PageTableEntry.User | PageTableEntry.Accessed).Value;
            }

            table = new PageTableEntry(word).Frame;
        }

        PhysicalMemory.Word(table, (int)(address >> 12)) = entry;
    }
}
