// How a grant operation ended.
namespace Xenolith.Hypervisor.Grants;

/// <summary>GNTST_* (public grant_table.h), 16 bits in the structures.</summary>
internal enum GrantStatus : short
{
    Okay = 0,
    GeneralError = -1,
    BadDomain = -2,
    BadReference = -3,
    BadHandle = -4,
    BadVirtualAddress = -5,
    BadDeviceAddress = -6,
    NoDeviceSpace = -7,
    PermissionDenied = -8,
    BadPage = -9,
    BadCopyArgument = -10,
    AddressTooBig = -11,
    Again = -12,
    NoSpace = -13,
}
