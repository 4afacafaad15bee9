// The page by which the victim and one attacker speak.
using System.Runtime.InteropServices;

namespace Xenolith.Guest;

/// <summary>A page of the victim's, granted to one attacker. The victim fills in everything but the request before it is ready.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Letter
{
    internal const ulong IsReady = 0x7265_6164_7921;

    /// <summary>The attacker asks nothing.</summary>
    internal const ulong Nothing = 0;

    /// <summary>The attacker has done all it could.</summary>
    internal const ulong Finished = 1;

    /// <summary>The victim shall take back what it shows the attacker, and write into it.</summary>
    internal const ulong TakeBack = 2;

    /// <summary>An answer: it is still in use.</summary>
    internal const ulong StillInUse = 3;

    /// <summary>An answer: it has been taken back.</summary>
    internal const ulong TakenBack = 4;

    internal ulong Ready;
    internal ulong Request;
    internal ulong Answer;

    /// <summary>A port of the victim's that the attacker may bind to.</summary>
    internal ulong Port;

    /// <summary>A port of the victim's that only a domain that does not exist may bind to.</summary>
    internal ulong ForeignPort;

    /// <summary>A reference to a page that the attacker may read.</summary>
    internal ulong ShownReference;

    /// <summary>A reference to a page for a domain that does not exist.</summary>
    internal ulong ForeignReference;

    /// <summary>Frames of the victim's: how many, and which.</summary>
    internal ulong FrameCount;
    internal ulong FirstFrame;
}
