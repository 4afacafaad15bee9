// Which interrupt vector means what.
namespace Xenolith.Hypervisor.Platform;

/// <summary>
/// 0x20-0x2F spurious of the 8259s | 0x30-0xEF physical interrupts, without 0x80, which guests use for system calls | 0xF0 and up the
/// hypervisor's own.
/// </summary>
internal static class Vectors
{
    internal const int FirstPirq = 0x30;
    internal const int LastPirq = 0xEF;
    internal const int GuestSystemCall = 0x80;
    internal const int Timer = 0xF0;
    internal const int Serial = 0xF1;

    /// <summary>From another processor: look at what waits for you.</summary>
    internal const int Kick = 0xF2;

    internal const int ApicError = 0xFE;
    internal const int Spurious = 0xFF;
}
