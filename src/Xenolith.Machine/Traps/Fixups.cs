// Instructions that may fault on a guest's account, and where to go on when they do.
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>The table that ON_FAULT lines of the assembly make.</summary>
public static unsafe class Fixups
{
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "fixups_start")] private static extern void StartSymbol();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "fixups_end")] private static extern void EndSymbol();

    /// <summary>Redirects a trapped instruction that has an entry; false when it has none, which is a fault of the hypervisor.</summary>
    public static bool TryApply(ref GuestRegisters frame)
    {
        // SAFETY: the linker script bounds the table of pairs.
        ulong* entry = (ulong*)(delegate*<void>)&StartSymbol;
        ulong* end = (ulong*)(delegate*<void>)&EndSymbol;
        for (; entry < end; entry += 2)
        {
            if (entry[0] == frame.Rip)
            {
                frame.Rip = entry[1];
                return true;
            }
        }

        return false;
    }
}
