// Twin of Traps/Fixups.cs: no instruction of a test traps.
namespace Xenolith.Machine;

/// <summary>Has no entries.</summary>
public static class Fixups
{
    public static bool TryApply(ref GuestRegisters frame) => false;
}
