// Reserved domain ids.
namespace Xenolith.Abi;

/// <summary>Domain ids with a meaning of their own (public xen.h, DOMID_*).</summary>
public static class DomainIds
{
    /// <summary>The control domain.</summary>
    public const ushort Domain0 = 0;

    public const ushort FirstReserved = 0x7FF0;
    public const ushort Self = 0x7FF0;
    public const ushort Io = 0x7FF1;
    public const ushort Xen = 0x7FF2;
    public const ushort Cow = 0x7FF3;
    public const ushort Invalid = 0x7FF4;
    public const ushort Idle = 0x7FFF;
}
