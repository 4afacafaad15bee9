// Offsets within the page that a kernel finds at its start.
namespace Xenolith.Abi;

/// <summary>Byte offsets and flags of struct start_info (public xen.h).</summary>
public static class StartInfoLayout
{
    public const int Magic = 0x000;
    public const int PageCount = 0x020;
    public const int SharedInfo = 0x028;
    public const int Flags = 0x030;
    public const int StoreMfn = 0x038;
    public const int StoreEventChannel = 0x040;
    public const int ConsoleMfn = 0x048;
    public const int ConsoleInfoOffset = 0x048;
    public const int ConsoleInfoBytes = 0x04C;
    public const int ConsoleEventChannel = 0x050;
    public const int PageTableBase = 0x058;
    public const int PageTableFrames = 0x060;
    public const int MfnList = 0x068;
    public const int ModuleStart = 0x070;
    public const int ModuleBytes = 0x078;
    public const int CommandLine = 0x080;
    public const int CommandLineBytes = 1024;
    public const int FirstP2mPfn = 0x480;
    public const int P2mFrameCount = 0x488;
    public const int Bytes = 0x490;
    public const uint Privileged = 1;
    public const uint InitialDomain = 2;
    public const uint ModuleStartIsPfn = 8;
}
