// hello: is the start information sane?
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class HelloProgram
{
    private const ulong InterruptsOn = 0x200;

    [RuntimeExport("guest_hello")]
    private static void Main()
    {
        byte* start = Memory.StartInfo;
        ReadOnlySpan<byte> magic = new(start, 14);
        Report.Check(magic.SequenceEqual("xen-3.0-x86_64"u8), "the magic"u8);
        ulong pages = Memory.PageCount;
        Report.Check(pages is >= 1024 and < 1UL << 28, "the number of pages"u8);
        const uint Domain0 = StartInfoLayout.Privileged | StartInfoLayout.InitialDomain;
        uint flags = *(uint*)(start + StartInfoLayout.Flags) & 0xF;
        Report.Check(flags is 0 or Domain0, "the flags: those of Domain 0, or none"u8);
        Report.Check(((ulong)start & 0xFFF) == 0, "start_info on a page of its own"u8);
        Report.Same((ulong)start >> 47, 0x1FFFF, "start_info in the kernel half"u8);
        Report.Same(*(ulong*)(start + StartInfoLayout.SharedInfo) & 0xFFF, 0, "the shared page is a whole page"u8);
        ulong served = Store(start, pages);
        Report.Same(*(ulong*)(start + StartInfoLayout.ModuleBytes), 0, "no RAM disk"u8);

        Layout(start, pages);
        Frames(pages);
        Report.Check((*(ulong*)PageTables.Entry((ulong)Memory.Root, 1) & PageTables.Writable) == 0, "the root is mapped read-only"u8);
        Report.Check((*(ulong*)PageTables.Entry((ulong)start, 1) & PageTables.Writable) != 0, "start_info is writable"u8);
        Report.Same(Memory.Shared[1], 1, "events start masked"u8);
        Report.Check(*(uint*)(Memory.Shared + 0x20) % 2 == 0 && *(uint*)(Memory.Shared + 0x38) != 0, "the time is filled in"u8);
        Report.Same(*(ulong*)(Memory.Shared + SharedInfoLayout.EventPending) & ~served, 0, "no events pending but the xenstore server's"u8);
        Version(flags == Domain0);
    }

    /// <summary>The page of xenstore is the domain's own and has a channel, or there is neither; returns the channel's bit.</summary>
    private static ulong Store(byte* start, ulong pages)
    {
        ulong frame = *(ulong*)(start + StartInfoLayout.StoreMfn);
        uint port = *(uint*)(start + StartInfoLayout.StoreEventChannel);
        if (frame == 0)
        {
            Report.Same(port, 0, "no channel for xenstore where nobody serves it"u8);
            return 0;
        }

        Report.Check(((ulong*)0xFFFF_8000_0000_0000)[frame] < pages, "the page of xenstore is one of the domain's own"u8);
        Report.Check(port is > 0 and < 64, "xenstore has a channel"u8);
        return 1UL << (int)port;
    }

    private static void Layout(byte* start, ulong pages)
    {
        ulong image = (ulong)Native.ImageEnd;
        ulong list = (ulong)Memory.MfnList;
        ulong root = (ulong)Memory.Root;
        ulong tables = *(ulong*)(start + StartInfoLayout.PageTableFrames);
        Report.Check(list >= image && list + (pages * 8) <= (ulong)start, "the list of frames lies between image and start_info"u8);
        Report.Check(root > (ulong)start, "the tables lie behind start_info"u8);
        Report.Check(tables is >= 4 and < 64, "the number of tables"u8);
        Report.Same(Native.FirstStack & 0xFFF, 0, "the stack is at the end of its page"u8);
        Report.Check(Native.FirstStack > root, "the stack lies behind the tables"u8);
        ulong end = (Native.FirstStack + 0x8_0000 + 0x3F_FFFF) & ~0x3F_FFFFUL;
        Report.Check(PageTables.Entry(end - 4096, 1) != null && (*PageTables.Entry(end - 4096, 1) & 1) != 0, "the last page of the initial region is mapped"u8);
        Report.Check((*PageTables.Entry(Memory.VirtualBase, 1) & 1) != 0, "the pages below the image are mapped"u8);
        Report.Check(PageTables.Entry(end, 2) == null || (*PageTables.Entry(end, 2) & 1) == 0, "nothing is mapped behind the initial region"u8);
        Report.Same(*(ulong*)(root + (8 * 511)) & 1, 1, "slot 511 of the root"u8);
    }

    private static void Frames(ulong pages)
    {
        ulong* machineToPhysical = (ulong*)0xFFFF_8000_0000_0000;
        for (ulong page = 0; page < pages; page++)
        {
            ulong frame = Memory.MfnList[page];
            if (machineToPhysical[frame] != page)
            {
                Report.Same(machineToPhysical[frame], page, "M2P and the list of frames agree"u8);
                return;
            }
        }
    }

    private static void Version(bool isPrivileged)
    {
        const ulong Common = 0xE0;
        const ulong PrivilegedOnly = 0x800;
        Report.Same((ulong)Xen.Call(HypercallNumber.XenVersion), 0x4_0011, "the version"u8);
        byte* buffer = Memory.TakePage();
        Report.Result(Xen.Call(HypercallNumber.XenVersion, 1, (ulong)buffer), XenError.None, "the extra version"u8);
        Report.Result(Xen.Call(HypercallNumber.XenVersion, 3, (ulong)buffer), XenError.None, "the capabilities"u8);
        Report.Check(new ReadOnlySpan<byte>(buffer, 14).SequenceEqual("xen-3.0-x86_64"u8), "the first capability"u8);
        Report.Same((ulong)Xen.Call(HypercallNumber.XenVersion, 7), 4096, "the page size"u8);
        *(uint*)buffer = 0;
        Report.Result(Xen.Call(HypercallNumber.XenVersion, 6, (ulong)buffer), XenError.None, "the features"u8);
        Report.Same(*(uint*)(buffer + 4) & 0x8EF, isPrivileged ? Common | PrivilegedOnly : Common, "feature bits"u8);
        *(uint*)buffer = 1;
        Report.Result(Xen.Call(HypercallNumber.XenVersion, 6, (ulong)buffer), XenError.Invalid, "features of submap 1"u8);
        Report.Result(Xen.Call(HypercallNumber.XenVersion, 99, (ulong)buffer), XenError.NotImplemented, "an unknown version query"u8);
        Report.Result(Xen.Call((HypercallNumber)63), XenError.NotImplemented, "hypercall 63"u8);
        Report.Result(Xen.Call((HypercallNumber)0x1_0000_0000), XenError.NotImplemented, "hypercall 1<<32"u8);
    }
}
