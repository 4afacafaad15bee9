// What the hypervisor, or the kernel on its behalf, refused.
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>Says which operation failed, with which error number, what that means, and what to do.</summary>
public class XenException : Exception
{
    internal XenException(string operation, XenError error, string meaning, string advice, ushort? domain)
        : base($"{operation}{(domain is null ? "" : $" of domain {domain}")}: {meaning} ({XenErrorText.Name(error)}, {(int)error}). {advice}")
    {
        Operation = operation;
        Error = error;
        Meaning = meaning;
        Advice = advice;
        Domain = domain;
    }

    /// <summary>The operation's name in the interface, such as "createdomain".</summary>
    public string Operation { get; }

    /// <summary>The error number.</summary>
    public XenError Error { get; }

    /// <summary>What the number means for this operation.</summary>
    public string Meaning { get; }

    /// <summary>What to do about it.</summary>
    public string Advice { get; }

    /// <summary>The domain that the operation was about, if one.</summary>
    public ushort? Domain { get; }

    /// <summary>The exception for an error; the interface's usual meaning of the number stands unless the caller knows better.</summary>
    internal static XenException For(string operation, XenError error, ushort? domain = null, string? meaning = null, string? advice = null)
    {
        string what = meaning ?? XenErrorText.Meaning(error);
        string next = advice ?? XenErrorText.Advice(error);
        return error switch
        {
            XenError.NoSuchDomain when domain is not null => new NoSuchDomainException(operation, domain.Value),
            XenError.NoMemory => new NotEnoughMemoryException(operation, what, next, domain),
            XenError.AccessDenied => new InterfaceVersionException(operation, what, next, domain),
            XenError.NotImplemented or XenError.NotSupported => new UnsupportedOperationException(operation, error, what, next, domain),
            _ => new XenException(operation, error, what, next, domain),
        };
    }
}

/// <summary>The domain does not exist (any more).</summary>
public sealed class NoSuchDomainException : XenException
{
    internal NoSuchDomainException(string operation, ushort domain)
        : base(operation, XenError.NoSuchDomain, "there is no such domain", "It may have ended meanwhile; list the domains.", domain)
    {
    }
}

/// <summary>The machine, or the domain's limit, has too little memory for it.</summary>
public sealed class NotEnoughMemoryException : XenException
{
    internal NotEnoughMemoryException(string operation, string meaning, string advice, ushort? domain)
        : base(operation, XenError.NoMemory, meaning, advice, domain)
    {
    }
}

/// <summary>The hypervisor's control interface has another version than this library.</summary>
public sealed class InterfaceVersionException : XenException
{
    internal InterfaceVersionException(string operation, string meaning, string advice, ushort? domain)
        : base(operation, XenError.AccessDenied, meaning, advice, domain)
    {
    }
}

/// <summary>The hypervisor does not have the operation, or not on this machine.</summary>
public sealed class UnsupportedOperationException : XenException
{
    internal UnsupportedOperationException(string operation, XenError error, string meaning, string advice, ushort? domain)
        : base(operation, error, meaning, advice, domain)
    {
    }
}

/// <summary>No hypervisor can be reached from here.</summary>
public sealed class HypervisorUnavailableException : XenException
{
    internal HypervisorUnavailableException(string path, XenError error, string advice)
        : base($"opening {path}", error, XenErrorText.Meaning(error), advice, null)
    {
    }
}
