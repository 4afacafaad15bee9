// The memory that the guest starts with.
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>Start information, translation between addresses and machine frames, and pages to use up.</summary>
internal static unsafe class Memory
{
    internal const ulong VirtualBase = 0xFFFF_FFFF_8000_0000;
    internal const int PageBytes = 4096;

    private static byte* s_startInfo;
    private static byte* s_next;
    private static byte* s_code;
    private static byte* s_shared;

    internal static byte* StartInfo => s_startInfo;

    internal static ulong PageCount => *(ulong*)(s_startInfo + StartInfoLayout.PageCount);

    internal static ulong* MfnList => *(ulong**)(s_startInfo + StartInfoLayout.MfnList);

    /// <summary>The level-4 table that the guest started on.</summary>
    internal static ulong* Root => *(ulong**)(s_startInfo + StartInfoLayout.PageTableBase);

    /// <summary>A page for instructions to try.</summary>
    internal static byte* CodePage => s_code;

    /// <summary>The page shared with the hypervisor, mapped at the first use.</summary>
    internal static byte* Shared
    {
        get
        {
            if (s_shared == null)
            {
                byte* page = TakePage();
                if (Xen.UpdateVaMapping((ulong)page, *(ulong*)(s_startInfo + StartInfoLayout.SharedInfo) | PageTables.KernelWritable) != 0)
                {
                    Report.Error("the shared page cannot be mapped"u8);
                }

                s_shared = page;
            }

            return s_shared;
        }
    }

    internal static bool HasShared => s_shared != null;

    /// <summary>arch.cr2 of the vcpu, or 0 before the shared page is mapped.</summary>
    internal static ulong FaultAddress => s_shared == null ? 0 : System.Threading.Volatile.Read(ref *(ulong*)(s_shared + 0x10));

    internal static void Start(byte* startInfo)
    {
        s_startInfo = startInfo;
        s_next = Native.Pages;
        s_code = TakePage();
    }

    /// <summary>A zeroed page of the image that nothing else uses.</summary>
    internal static byte* TakePage()
    {
        if (s_next >= Native.PagesEnd)
        {
            Report.Error("no pages left"u8);
        }

        byte* page = s_next;
        s_next += PageBytes;
        for (int i = 0; i < PageBytes / 8; i++)
        {
            ((ulong*)page)[i] = 0;
        }

        return page;
    }

    /// <summary>The machine frame behind an address of the initial memory.</summary>
    internal static ulong Frame(void* address) => MfnList[((ulong)address - VirtualBase) >> 12];

    /// <summary>Machine address of something in the initial memory.</summary>
    internal static ulong Machine(void* address) => (Frame(address) << 12) | ((ulong)address & 0xFFF);

    /// <summary>Where the initial memory holds a machine frame; only for frames of the image and of the first tables.</summary>
    internal static void* Address(ulong frame)
    {
        ulong pages = Math.Min(PageCount, 0x8000UL);
        for (ulong page = 0; page < pages; page++)
        {
            if (MfnList[page] == frame)
            {
                return (void*)(VirtualBase + (page << 12));
            }
        }

        Report.Error("a frame outside of the initial memory"u8);
        return null;
    }
}
