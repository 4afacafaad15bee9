// Error numbers of the interface.
namespace Xenolith.Abi;

/// <summary>errno values (public errno.h); a hypercall returns them negated.</summary>
public enum XenError
{
    None = 0,
    NotPermitted = 1,
    NoEntry = 2,
    NoSuchDomain = 3,
    TooBig = 7,
    Again = 11,
    NoMemory = 12,
    AccessDenied = 13,
    Fault = 14,
    Busy = 16,
    Exists = 17,
    CrossDomain = 18,
    NoDevice = 19,
    Invalid = 22,
    NoSpace = 28,
    Domain = 33,
    NotImplemented = 38,
    NoData = 61,
    Overflow = 75,
    NotSupported = 95,
    NoBufferSpace = 105,

    /// <summary>Internal (ERESTART): stop here and continue later.</summary>
    Restart = 85,

    /// <summary>ENXIO.</summary>
    NoAddress = 6,
}
