// Error numbers in words.
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>What each number usually means, and what usually helps.</summary>
internal static class XenErrorText
{
    internal static string Name(XenError error) => error switch
    {
        XenError.NotPermitted => "EPERM",
        XenError.NoEntry => "ENOENT",
        XenError.NoSuchDomain => "ESRCH",
        XenError.NoAddress => "ENXIO",
        XenError.TooBig => "E2BIG",
        XenError.Again => "EAGAIN",
        XenError.NoMemory => "ENOMEM",
        XenError.AccessDenied => "EACCES",
        XenError.Fault => "EFAULT",
        XenError.Busy => "EBUSY",
        XenError.Exists => "EEXIST",
        XenError.CrossDomain => "EXDEV",
        XenError.NoDevice => "ENODEV",
        XenError.Invalid => "EINVAL",
        XenError.NoSpace => "ENOSPC",
        XenError.NotImplemented => "ENOSYS",
        XenError.NoData => "ENODATA",
        XenError.Overflow => "EOVERFLOW",
        XenError.NotSupported => "EOPNOTSUPP",
        XenError.NoBufferSpace => "ENOBUFS",
        _ => "error",
    };

    internal static string Meaning(XenError error) => error switch
    {
        XenError.NotPermitted => "this domain may not do that",
        XenError.NoEntry => "there is no such thing",
        XenError.NoSuchDomain => "there is no such domain",
        XenError.Again => "it cannot be done at this moment",
        XenError.NoMemory => "there is too little memory",
        XenError.AccessDenied => "permission is denied, or the interface has another version",
        XenError.Fault => "memory of the request cannot be reached",
        XenError.Busy => "it is in use",
        XenError.Exists => "it exists already",
        XenError.NoDevice => "there is no such device",
        XenError.Invalid => "a value of the request is not valid there",
        XenError.NoSpace => "there is no room left",
        XenError.NotImplemented => "the hypervisor does not know the operation",
        XenError.NoData => "there is nothing to tell yet",
        XenError.NotSupported => "the operation is not supported here",
        XenError.NoBufferSpace => "the answer is longer than the room for it",
        XenError.TooBig => "the request is too long",
        _ => "it failed",
    };

    internal static string Advice(XenError error) => error switch
    {
        XenError.NotPermitted => "Run it in Domain 0.",
        XenError.NoMemory => "Give it less memory, or free some: end a domain or reduce Domain 0's memory.",
        XenError.AccessDenied => "Use a hypervisor with the interface of Xen 4.17 (domctl and sysctl version 0x15), and run as root.",
        XenError.Again or XenError.Busy => "Try it again when what uses it has ended.",
        XenError.NotImplemented or XenError.NotSupported => "Do without it, or use a hypervisor that has it.",
        XenError.NoSpace => "End domains that are no longer needed.",
        _ => "Check the values that were given.",
    };
}
