// The pages with which the random calls play.
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

/// <summary>Pages that nothing else needs, a tree of tables with windows, and the frames and handles that have turned up.</summary>
internal static unsafe class RandomPool
{
    internal const int Pages = 48;
    internal const int Windows = 64;
    internal const int Handles = 16;
    internal const ulong Window = 0x6000_0000_0000;

    private static byte* s_pages;
    private static ulong* s_frames;
    private static ulong* s_handles;

    internal static void Start()
    {
        s_frames = (ulong*)Memory.TakePage();
        s_handles = s_frames + Pages;
        s_pages = Memory.TakePage();
        for (int i = 1; i < Pages; i++)
        {
            Memory.TakePage();
        }

        for (int i = 0; i < Pages; i++)
        {
            s_frames[i] = Memory.Frame(s_pages + (i * Memory.PageBytes));
        }

        Report.Result(PageTables.AddLive(Window, 0), XenError.None, "windows"u8);
    }

    /// <summary>Whether a frame is the guest's and not the pool's: the clock in the page shared with the hypervisor, for one, it reads until it is whole.</summary>
    internal static bool IsVital(ulong frame)
    {
        ulong first = ((ulong)s_pages - Memory.VirtualBase) >> 12;
        for (ulong page = 0; page < Memory.PageCount; page++)
        {
            if (Memory.MfnList[page] == frame)
            {
                return page < first || page >= first + Pages;
            }
        }

        return frame == Grants.Frame || frame == *(ulong*)(Memory.StartInfo + StartInfoLayout.SharedInfo) >> 12;
    }

    internal static ulong PageAddress(int index) => (ulong)s_pages + ((ulong)index * Memory.PageBytes);

    /// <summary>A frame that belongs, or belonged, to the pool.</summary>
    internal static ulong Frame(int index) => Volatile.Read(ref s_frames[index]);

    /// <summary>Where a call that gives frames puts them: they become the pool's.</summary>
    internal static ulong* FrameSlot(int index) => s_frames + index;

    /// <summary>Where a call that gives a handle is to have it written.</summary>
    internal static ulong* HandleSlot(int index) => s_handles + index;
}
