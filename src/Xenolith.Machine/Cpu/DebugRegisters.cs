// Debug registers of this processor.
namespace Xenolith.Machine;

/// <summary>DR0-DR3, DR6, DR7. Addresses in the hypervisor's range are refused: a guest must not be able to break inside it.</summary>
public static class DebugRegisters
{
    /// <summary>Reset value of DR6.</summary>
    public const ulong StatusReset = 0xFFFF_0FF0;

    /// <summary>DR7 with no breakpoint enabled.</summary>
    public const ulong ControlReset = 0x400;

    public static ulong Status
    {
        get => Native.ReadDr6();
        set => Native.WriteDr6(value & 0xFFFF_FFFF);
    }

    public static ulong Control
    {
        get => Native.ReadDr7();
        set => Native.WriteDr7((value & 0xFFFF_DFFF) | ControlReset);
    }

    /// <summary>Loads a breakpoint address, 0 &lt;= index &lt; 4; one that is not the guest's to name is loaded as 0.</summary>
    public static void SetAddress(int index, ulong address)
    {
        if (!new GuestAddress(address).IsGuestRange(8))
        {
            address = 0;
        }

        switch (index)
        {
            case 0: Native.WriteDr0(address); break;
            case 1: Native.WriteDr1(address); break;
            case 2: Native.WriteDr2(address); break;
            case 3: Native.WriteDr3(address); break;
            default: break;
        }
    }
}
