// Bits of RFLAGS.
namespace Xenolith.Machine;

/// <summary>RFLAGS (Intel SDM vol. 1, "EFLAGS Register").</summary>
public static class RflagsBits
{
    public const ulong Carry = 1 << 0;
    public const ulong Fixed = 1 << 1;
    public const ulong Parity = 1 << 2;
    public const ulong AuxiliaryCarry = 1 << 4;
    public const ulong Zero = 1 << 6;
    public const ulong Sign = 1 << 7;
    public const ulong Trap = 1 << 8;
    public const ulong InterruptEnable = 1 << 9;
    public const ulong Direction = 1 << 10;
    public const ulong Overflow = 1 << 11;
    public const ulong IoPrivilegeMask = 3 << 12;
    public const ulong NestedTask = 1 << 14;
    public const ulong Resume = 1 << 16;
    public const ulong Virtual8086 = 1 << 17;
    public const ulong AlignmentCheck = 1 << 18;
}
