// The two 8259 interrupt controllers, which are not used.
namespace Xenolith.Machine;

/// <summary>Moves the 8259s out of the way of the exceptions and masks them (Intel 8259A data sheet).</summary>
public static class LegacyPic
{
    /// <summary>First of the 16 vectors on which a spurious interrupt of theirs may still come.</summary>
    public const int FirstVector = 0x20;

    public static void Disable()
    {
        Ports.Out8(0x20, 0x11);
        Ports.Out8(0xA0, 0x11);
        Ports.Out8(0x21, FirstVector);
        Ports.Out8(0xA1, FirstVector + 8);
        Ports.Out8(0x21, 4);
        Ports.Out8(0xA1, 2);
        Ports.Out8(0x21, 1);
        Ports.Out8(0xA1, 1);
        Ports.Out8(0x21, 0xFF);
        Ports.Out8(0xA1, 0xFF);
    }
}
